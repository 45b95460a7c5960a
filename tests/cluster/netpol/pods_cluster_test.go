//go:build cluster

package netpol

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/remotecommand"
)

// patience bounds every wait for the cluster.
const patience = 30 * time.Second

// lab is a pair of namespaces, called a and b in the tests, with pods in them.
type lab struct {
	t      *testing.T
	ctx    context.Context
	client *kubernetes.Clientset
	rest   *rest.Config
	spaces map[string]string // a -> netpol-a-x7k2p
	pods   map[string]string // a/client -> its address
}

func newLab(t *testing.T) *lab {
	t.Helper()
	path := os.Getenv("KUBECONFIG")
	if path == "" {
		t.Fatal("KUBECONFIG is not set: export KUBECONFIG=$(tests/cluster/run kubeconfig)")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	check(t, err)
	config.QPS, config.Burst = 200, 300
	client, err := kubernetes.NewForConfig(config)
	check(t, err)
	l := &lab{t: t, ctx: t.Context(), client: client, rest: config, spaces: map[string]string{}, pods: map[string]string{}}
	for name, team := range map[string]string{"a": "red", "b": "blue"} {
		space, err := client.CoreV1().Namespaces().Create(l.ctx, &v1.Namespace{ObjectMeta: metav1.ObjectMeta{
			GenerateName: "netpol-" + name + "-", Labels: map[string]string{"team": team},
		}}, metav1.CreateOptions{})
		check(t, err)
		l.spaces[name] = space.Name
		t.Cleanup(func() { client.CoreV1().Namespaces().Delete(context.Background(), space.Name, metav1.DeleteOptions{}) })
		_, err = client.CoreV1().ServiceAccounts(space.Name).Create(l.ctx,
			&v1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "probe"}}, metav1.CreateOptions{})
		check(t, err)
	}
	return l
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// podSpec is a pod called name with the label app and these arguments of the probe.
func podSpec(name, app string, args ...string) *v1.Pod {
	no := false
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": app}},
		Spec: v1.PodSpec{
			ServiceAccountName: "probe", AutomountServiceAccountToken: &no,
			RestartPolicy: v1.RestartPolicyNever, TerminationGracePeriodSeconds: new(int64),
			Containers: []v1.Container{{Name: "probe", Image: "localhost/userengine-probe:1", ImagePullPolicy: v1.PullNever, Args: args}},
		},
	}
}

func (l *lab) create(space string, pod *v1.Pod) {
	l.t.Helper()
	_, err := l.client.CoreV1().Pods(l.spaces[space]).Create(l.ctx, pod, metav1.CreateOptions{})
	check(l.t, err)
}

// awaitPod waits until the pod satisfies a condition and returns it.
func (l *lab) awaitPod(space, name, condition string, satisfied func(*v1.Pod) bool) *v1.Pod {
	l.t.Helper()
	var pod *v1.Pod
	eventually(l.t, space+"/"+name+" "+condition, func() error {
		var err error
		pod, err = l.client.CoreV1().Pods(l.spaces[space]).Get(l.ctx, name, metav1.GetOptions{})
		if err == nil && !satisfied(pod) {
			err = fmt.Errorf("phase %s, address %q", pod.Status.Phase, pod.Status.PodIP)
		}
		return err
	})
	return pod
}

func running(pod *v1.Pod) bool { return pod.Status.Phase == v1.PodRunning && pod.Status.PodIP != "" }

func ended(pod *v1.Pod) bool {
	return pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed
}

func eventually(t *testing.T, what string, ask func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s: %v", what, patience, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// probe runs the probe in a pod and returns what it printed.
func (l *lab) probe(pod string, args ...string) string {
	space, name, _ := strings.Cut(pod, "/")
	request := l.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(l.spaces[space]).Name(name).SubResource("exec").
		VersionedParams(&v1.PodExecOptions{Command: append([]string{"/probe"}, args...), Stdout: true, Stderr: true}, scheme.ParameterCodec)
	executor, err := remotecommand.NewSPDYExecutor(l.rest, http.MethodPost, request.URL())
	if err != nil {
		return err.Error()
	}
	var out, failed bytes.Buffer // two, since they are written at the same time
	err = executor.StreamWithContext(l.ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &failed})
	if err != nil && out.Len() == 0 {
		return err.Error() + " " + failed.String()
	}
	return strings.TrimSpace(out.String())
}

// address resolves the names of the tests: a pod, "node", or an address itself.
func (l *lab) address(name string) string {
	if address, ok := l.pods[name]; ok {
		return address
	}
	if name == "node" {
		host, _, err := net.SplitHostPort(strings.TrimPrefix(l.rest.Host, "https://"))
		check(l.t, err)
		return host
	}
	return name
}
