//go:build cluster

package lifecycle

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"
)

// snapshot lists what a cluster adds to a machine, by its kind.
func snapshot(t *testing.T) []string {
	t.Helper()
	all := slices.Concat(processes(t), mountPoints(t))
	for _, pattern := range []string{
		"/sys/class/net/*", "/run/netns/*", "/run/ue-*", "/run/containerd", "/run/containerd/s/*", "/opt/*", "/opt/cni/*",
		"/sys/fs/cgroup/*", "/sys/fs/cgroup/*/*", "/var/lib/userengine-cluster", "/var/lib/userengine-cluster/*",
		"/var/lib/kubelet", "/var/lib/cni", "/var/lib/cni/*", "/var/lib/cni/results/*", "/var/lib/containerd",
		"/var/log/containers/*", "/var/log/pods/*", "/etc/cni/*", "/usr/libexec/kubernetes/*",
	} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, paths...)
	}
	slices.Sort(all)
	return all
}

// processes lists those that a cluster consists of, and the network namespace
// of each. One that has ended but was not waited for yet does not count.
func processes(t *testing.T) []string {
	t.Helper()
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		name, err := os.ReadFile(entry + "/comm")
		if err != nil {
			continue
		}
		if !slices.Contains([]string{"containerd", "containerd-shim", "testcluster", "pause", "probe", "runc"}, strings.TrimSpace(string(name))) {
			continue
		}
		if namespace, err := os.Readlink(entry + "/ns/net"); err == nil { // an ended process has none
			all = append(all, fmt.Sprintf("process %s %s %s", filepath.Base(entry), strings.TrimSpace(string(name)), namespace))
		}
	}
	return all
}

func mountPoints(t *testing.T) []string {
	t.Helper()
	mounts, err := mountinfo.GetMounts(nil)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, mount := range mounts {
		all = append(all, "mount "+mount.Mountpoint)
	}
	return all
}

// added returns what is in after and not in before.
func added(before, after []string) []string {
	return slices.DeleteFunc(slices.Clone(after), func(each string) bool { return slices.Contains(before, each) })
}
