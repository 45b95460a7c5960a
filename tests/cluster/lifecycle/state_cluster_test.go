//go:build cluster

package lifecycle

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func volumes(t *testing.T, name string) {
	write := func(bytes string) (string, error) {
		config := strings.TrimSpace(must(t, "", "kubeconfig", "--name", name))
		return run(t, "", "kubectl", "--kubeconfig", config, "exec", "probe", "--", "/probe", "write", "/data/file", bytes)
	}
	if out, err := write("3000000"); err == nil || !strings.Contains(out, "no space left on device") {
		t.Errorf("3 MB fit into a claim of 2 MiB: %s", out)
	}
	const grow = `{"spec":{"resources":{"requests":{"storage":"4Mi"}}}}`
	kubectl(t, name, "", "patch", "pvc", "data", "--type=merge", "-p", grow)
	kubectl(t, name, "", "wait", "--for=jsonpath={.status.capacity.storage}=4Mi", "pvc/data", "--timeout=30s")
	if out, err := write("3000000"); err != nil {
		t.Errorf("3 MB do not fit into a claim of 4 MiB: %s", out)
	}
	config := strings.TrimSpace(must(t, "", "kubeconfig", "--name", name))
	out, err := run(t, "", "kubectl", "--kubeconfig", config, "patch", "pvc", "fixed", "--type=merge", "-p", grow)
	if err == nil || !strings.Contains(out, "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize") {
		t.Errorf("the class fixed lets a claim grow: %s", out)
	}
}

func collectState(t *testing.T, name string) {
	const secret = "do-not-collect-this"
	kubectl(t, name, "", "create", "secret", "generic", "token", "--from-literal=value="+secret)
	folder := t.TempDir()
	must(t, "", "collect", folder, "--name", name)
	for _, file := range []string{"all.txt", "events.txt", "components/kubelet.log", "pods/default/probe.probe.log", "network/nftables.txt"} {
		if info, err := os.Stat(filepath.Join(folder, file)); err != nil || info.Size() == 0 {
			t.Errorf("%s is missing or empty: %v", file, err)
		}
	}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(secret)) || bytes.Contains(text, []byte("PRIVATE KEY")) {
			t.Errorf("%s holds a secret", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
