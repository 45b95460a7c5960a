package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"userengine.dev/testcluster/hostnet"
	"userengine.dev/testcluster/layout"
)

// Collect writes what explains a failed run into a folder. It goes on when a
// part cannot be had, since the reason for the failure may be why. Contents of
// Secrets and keys are never among it.
func Collect(ctx context.Context, c layout.Cluster, folder string) error {
	w := collector{ctx, c, folder}
	failed := []error{
		w.componentLogs(),
		w.kubectl("all.txt", "get", "all,pvc,pv,configmaps,serviceaccounts,networkpolicies", "-A", "-o", "wide"),
		w.kubectl("events.txt", "get", "events", "-A", "--sort-by=.lastTimestamp", "-o", "wide"),
		w.kubectl("nodes.txt", "describe", "nodes"),
		w.pods(),
	}
	for file, argv := range map[string][]string{
		"nftables.txt":  {"nft", "list", "ruleset"},
		"conntrack.txt": {"conntrack", "-L"},
		"addresses.txt": {"ip", "address"},
		"routes.txt":    {"ip", "route"},
		"sockets.txt":   {"ss", "-tunap"},
	} {
		failed = append(failed, w.write(filepath.Join("network", file), hostnet.Command(c, argv[0], argv[1:]...)))
	}
	return errors.Join(failed...)
}

type collector struct {
	ctx    context.Context
	c      layout.Cluster
	folder string
}

func (w collector) componentLogs() error {
	logs, err := filepath.Glob(w.c.Log("*"))
	if err != nil {
		return err
	}
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			return err
		}
		if err := w.file(filepath.Join("components", filepath.Base(log)), text); err != nil {
			return err
		}
	}
	return nil
}

func (w collector) pods() error {
	client, err := Client(w.c)
	if err != nil {
		return err
	}
	pods, err := client.CoreV1().Pods("").List(w.ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("failed to list the pods: %w", err)
	}
	var failed []error
	for _, pod := range pods.Items {
		prefix := filepath.Join("pods", pod.Namespace, pod.Name)
		if !podReady(&pod) {
			failed = append(failed, w.kubectl(prefix+".describe.txt", "describe", "pod", "-n", pod.Namespace, pod.Name))
		}
		for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
			log := []string{"logs", "-n", pod.Namespace, pod.Name, "-c", status.Name}
			failed = append(failed, w.kubectl(prefix+"."+status.Name+".log", log...))
			if status.RestartCount > 0 {
				failed = append(failed, w.kubectl(prefix+"."+status.Name+".previous.log", append(log, "--previous")...))
			}
		}
	}
	return errors.Join(failed...)
}

func podReady(pod *v1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == v1.PodReady {
			return condition.Status == v1.ConditionTrue
		}
	}
	return false
}

func (w collector) kubectl(file string, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args = append([]string{"kubectl", "--kubeconfig", w.c.Kubeconfig("admin"), "--request-timeout=15s"}, args...)
	return w.write(file, exec.CommandContext(w.ctx, self, args...))
}

// write keeps the output even of a command that failed.
func (w collector) write(file string, cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		out = fmt.Appendf(out, "\n%s: %s\n", strings.Join(cmd.Args, " "), err)
	}
	return w.file(file, out)
}

func (w collector) file(name string, text []byte) error {
	path := filepath.Join(w.folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
