//go:build cluster

package lifecycle

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

const pod = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: probe}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOncePod], storageClassName: sized, resources: {requests: {storage: 2Mi}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: fixed}
spec: {accessModes: [ReadWriteOnce], storageClassName: fixed, resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: probe}
spec:
  serviceAccountName: probe
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: probe
    image: localhost/userengine-probe:1
    imagePullPolicy: Never
    args: [serve, --tcp, "8080"]
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
`

// run runs the wrapper script and returns what it printed.
func run(t *testing.T, input string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("../run", args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func must(t *testing.T, input string, args ...string) string {
	t.Helper()
	out, err := run(t, input, args...)
	if err != nil {
		t.Fatalf("run %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// kubectl runs kubectl on the cluster called name.
func kubectl(t *testing.T, name, input string, args ...string) string {
	t.Helper()
	config := strings.TrimSpace(must(t, "", "kubeconfig", "--name", name))
	return must(t, input, append([]string{"kubectl", "--kubeconfig", config}, args...)...)
}

// TestClusters needs root and the machine for itself: it fails when something
// else starts or ends clusters or containers meanwhile.
func TestClusters(t *testing.T) {
	must(t, "", "list") // builds, if that is still to be done
	before := snapshot(t)
	names := []string{"lifecycle-1", "lifecycle-2"}
	for _, name := range names {
		t.Cleanup(func() { run(t, "", "down", "--name", name) })
	}
	t.Run("two run pods side by side", func(t *testing.T) {
		for _, name := range names {
			must(t, "", "up", "--name", name)
			kubectl(t, name, pod, "apply", "-f", "-")
		}
		for _, name := range names {
			kubectl(t, name, "", "wait", "--for=condition=Ready", "pod/probe", "--timeout=60s")
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	t.Run("up changes nothing on a healthy one, within a second", func(t *testing.T) { upAgain(t, names[0]) })
	t.Run("up starts what died", func(t *testing.T) { upAfterDeath(t, names[0]) })
	t.Run("a component stops and starts on command", func(t *testing.T) { stopAndStart(t, names[0]) })
	t.Run("volumes have the size of their claim and grow", func(t *testing.T) { volumes(t, names[0]) })
	t.Run("collect keeps secrets to itself", func(t *testing.T) { collectState(t, names[0]) })
	t.Run("ending one leaves the other alone", func(t *testing.T) {
		must(t, "", "down", "--name", names[0])
		kubectl(t, names[1], "", "wait", "--for=condition=Ready", "pod/probe", "--timeout=1s")
	})
	t.Run("ending the last leaves nothing behind", func(t *testing.T) {
		if len(added(before, snapshot(t))) == 0 {
			t.Fatal("the snapshot does not show a running cluster: this test could not fail")
		}
		must(t, "", "down", "--name", names[1])
		for _, each := range added(before, snapshot(t)) {
			t.Errorf("left behind: %s", each)
		}
	})
}

func upAgain(t *testing.T, name string) {
	before := snapshot(t)
	started := time.Now()
	must(t, "", "up", "--name", name)
	if took := time.Since(started); took > time.Second {
		t.Errorf("took %s", took)
	}
	for _, each := range added(before, snapshot(t)) {
		t.Errorf("new: %s", each)
	}
}

func upAfterDeath(t *testing.T, name string) {
	for _, component := range []string{"kube-apiserver", "etcd", "kubelet", "containerd", "network-policy"} {
		must(t, "", "kill-component", component, "--name", name)
	}
	must(t, "", "up", "--name", name)
	kubectl(t, name, "", "wait", "--for=condition=Ready", "pod/probe", "--timeout=30s")
	// A kubelet that has just started refuses exec until it has seen its pods.
	eventually(t, func() (string, error) {
		config := strings.TrimSpace(must(t, "", "kubeconfig", "--name", name))
		return run(t, "", "kubectl", "--kubeconfig", config, "exec", "probe", "--", "/probe", "resolve", "kubernetes.default.svc.cluster.local")
	})
}

func eventually(t *testing.T, do func() (string, error)) {
	t.Helper()
	const patience = 30 * time.Second
	for deadline := time.Now().Add(patience); ; time.Sleep(pollInterval) {
		out, err := do()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %v: %s", patience, err, out)
		}
	}
}

func stopAndStart(t *testing.T, name string) {
	must(t, "", "stop-component", "kube-apiserver", "--name", name)
	config := strings.TrimSpace(must(t, "", "kubeconfig", "--name", name))
	if out, err := run(t, "", "kubectl", "--kubeconfig", config, "get", "nodes"); err == nil {
		t.Errorf("the API server still answers: %s", out)
	}
	must(t, "", "start-component", "kube-apiserver", "--name", name)
	kubectl(t, name, "", "get", "nodes")
	if out, err := run(t, "", "stop-component", "nothing", "--name", name); err == nil {
		t.Errorf("stopped a component that does not exist: %s", out)
	}
}
