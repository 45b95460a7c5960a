package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"userengine.dev/testcluster/cgroups"
	"userengine.dev/testcluster/hostnet"
	"userengine.dev/testcluster/layout"
	"userengine.dev/testcluster/parts"
	"userengine.dev/testcluster/process"
)

// killTimeout is how long killed processes may take to be gone.
const killTimeout = 20 * time.Second

// Down ends the cluster and removes everything of it. It goes on after a
// failure, so that as little as possible stays behind, and reports what did.
// A cluster that does not exist is fine.
func Down(ctx context.Context, name string, report *Report) error {
	unlock, err := layout.Lock(name)
	if err != nil {
		return err
	}
	defer unlock()
	c, err := layout.Find(name)
	if errors.Is(err, layout.ErrNoCluster) {
		return nil
	}
	if err != nil {
		return err
	}
	sockets := shimSockets(c)
	var failed []error
	for _, s := range []step{
		{"components", stopAll},
		{"pods", killRemaining},
		{"mounts", func(context.Context, layout.Cluster) error { return unmountAll(c) }},
		{"network", func(context.Context, layout.Cluster) error { return hostnet.Remove(c) }},
		{"cgroups", func(context.Context, layout.Cluster) error { return cgroups.Remove(c.CgroupRoot()) }},
		{"files", func(context.Context, layout.Cluster) error { return removeFiles(c, sockets) }},
	} {
		failed = append(failed, report.Time(s.title, func() error { return s.do(ctx, c) }))
	}
	return errors.Join(append(failed, leftovers(c))...)
}

// stopAll ends the components in the reverse order of their start. Those that
// only talk to the API server have nothing to finish and end together.
func stopAll(ctx context.Context, c layout.Cluster) error {
	var failed []error
	for _, part := range parts.Others {
		failed = append(failed, process.Signal(c, part.Name, syscall.SIGKILL))
	}
	for _, part := range slices.Backward(parts.ControlPlane) {
		failed = append(failed, process.Signal(c, part.Name, syscall.SIGKILL))
	}
	patience, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	for _, part := range parts.All() {
		failed = append(failed, process.AwaitEnd(patience, c, part.Name))
	}
	return errors.Join(failed...)
}

// killRemaining kills the pods and their shims, again until none is left: a
// process may start another one while it is being looked for.
func killRemaining(ctx context.Context, c layout.Cluster) error {
	deadline := time.Now().Add(killTimeout)
	for {
		pids, err := process.All(c)
		if err != nil {
			return err
		}
		if len(pids) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes still run %s after SIGKILL: %v", killTimeout, pids)
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended meanwhile
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollInterval):
		}
	}
}

// mounts returns the cluster's mount points, the deepest first.
func mounts(c layout.Cluster) ([]string, error) {
	all, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		return !below(m.Mountpoint, c.State()) && !below(m.Mountpoint, c.Run()), false
	})
	if err != nil {
		return nil, err
	}
	var points []string
	for _, m := range slices.Backward(all) { // the kernel lists them in the order of mounting
		points = append(points, m.Mountpoint)
	}
	return points, nil
}

func below(path, folder string) bool { return strings.HasPrefix(path, folder+"/") }

func unmountAll(c layout.Cluster) error {
	points, err := mounts(c)
	if err != nil {
		return err
	}
	var failed []error
	for _, point := range points {
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil {
			failed = append(failed, fmt.Errorf("failed to unmount %s: %w", point, err))
		}
	}
	return errors.Join(failed...)
}

// shimSockets returns the sockets of the cluster's container shims. Containerd
// puts them into a folder that all containerds of the machine share.
func shimSockets(c layout.Cluster) []string {
	files, _ := filepath.Glob(c.Run() + "/containerd/io.containerd.runtime.v2.task/k8s.io/*/address")
	var sockets []string
	for _, file := range files {
		address, err := os.ReadFile(file)
		if err == nil {
			sockets = append(sockets, strings.TrimPrefix(strings.TrimSpace(string(address)), "unix://"))
		}
	}
	return sockets
}

func removeFiles(c layout.Cluster, sockets []string) error {
	failed := []error{os.RemoveAll(c.Run())}
	for _, path := range slices.Concat(sockets, sharedFiles(c)) {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	for _, folder := range sharedFolders {
		os.Remove(folder) // succeeds only when nothing else uses it
	}
	// The state folder goes last: as long as it exists, down can be run again.
	if err := errors.Join(failed...); err != nil {
		return err
	}
	return os.RemoveAll(c.State())
}

// sharedFolders are the folders outside our own that the kubelet, containerd
// and the CNI plugins use on every machine, the deepest first.
var sharedFolders = []string{
	"/run/containerd/s", "/run/containerd", "/var/lib/cni/results", "/var/lib/cni",
	"/var/log/containers", "/opt/cni/bin", "/opt/cni",
}

// sharedFiles returns the cluster's files in these folders: results of CNI
// plugins, which name the pod's namespace below our folder, and links to
// container logs.
func sharedFiles(c layout.Cluster) []string {
	var ours []string
	results, _ := filepath.Glob("/var/lib/cni/results/*")
	for _, result := range results {
		if text, err := os.ReadFile(result); err == nil && bytes.Contains(text, []byte(c.Run()+"/")) {
			ours = append(ours, result)
		}
	}
	links, _ := filepath.Glob("/var/log/containers/*.log")
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && below(target, c.State()) {
			ours = append(ours, link)
		}
	}
	return ours
}
