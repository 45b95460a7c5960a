package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"userengine.dev/testcluster/layout"
	"userengine.dev/testcluster/parts"
	"userengine.dev/testcluster/process"
)

const pollInterval = 50 * time.Millisecond

// until asks again and again until the answer is nil, the deadline passes or
// the component that the answer depends on has ended.
func until(ctx context.Context, what string, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil || errors.Is(err, errEnded) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not ready after %s: %w", what, readyTimeout, err)
		case <-time.After(pollInterval):
		}
	}
}

// errEnded means that waiting longer is pointless.
var errEnded = errors.New("the process has ended")

// await waits until the part is ready; its error holds the end of its log.
func await(ctx context.Context, c layout.Cluster, part parts.Part) error {
	err := until(ctx, part.Name, func(ctx context.Context) error {
		if !process.Alive(c, part.Name) {
			return fmt.Errorf("%s: %w", part.Name, errEnded)
		}
		return part.Ready.Ask(ctx, c)
	})
	if err != nil {
		return fmt.Errorf("%w\nthe end of %s:\n%s", err, c.Log(part.Name), tail(c.Log(part.Name)))
	}
	return nil
}

func awaitAll(ctx context.Context, c layout.Cluster, all []parts.Part) error {
	failed := make([]error, len(all))
	var wait sync.WaitGroup
	for i, part := range all {
		wait.Go(func() { failed[i] = await(ctx, c, part) })
	}
	wait.Wait()
	return errors.Join(failed...)
}

// Client talks to the API server as the administrator.
func Client(c layout.Cluster) (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig("admin"))
	if err != nil {
		return nil, err
	}
	config.Timeout = 10 * time.Second
	return kubernetes.NewForConfig(config)
}

func awaitNode(ctx context.Context, c layout.Cluster) error {
	err := until(ctx, "node", func(ctx context.Context) error { return nodeReady(ctx, c) })
	if err != nil {
		return fmt.Errorf("%w\nthe end of %s:\n%s", err, c.Log("kubelet"), tail(c.Log("kubelet")))
	}
	return until(ctx, "service account", func(ctx context.Context) error {
		client, err := Client(c)
		if err != nil {
			return err
		}
		// A pod of the default namespace is refused until this one exists.
		_, err = client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

func nodeReady(ctx context.Context, c layout.Cluster) error {
	client, err := Client(c)
	if err != nil {
		return err
	}
	node, err := client.CoreV1().Nodes().Get(ctx, layout.NodeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == v1.NodeReady {
			if condition.Status == v1.ConditionTrue {
				return nil
			}
			return fmt.Errorf("the node says: %s", condition.Message)
		}
	}
	return errors.New("the node has reported nothing yet")
}
