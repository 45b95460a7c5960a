// Package lifecycle starts, stops and inspects clusters.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"userengine.dev/testcluster/cgroups"
	"userengine.dev/testcluster/hostnet"
	"userengine.dev/testcluster/layout"
	"userengine.dev/testcluster/parts"
	"userengine.dev/testcluster/pki"
	"userengine.dev/testcluster/process"
)

// readyTimeout bounds the wait for one component. Starts take seconds; it is
// this long for machines that are busy with something else.
const readyTimeout = 90 * time.Second

// Up creates the cluster, or starts whatever of it does not run.
func Up(ctx context.Context, name string, report *Report) error {
	if err := layout.CheckName(name); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New(notRoot(missing()))
	}
	if err := installMissing(report); err != nil {
		return err
	}
	unlock, err := layout.Lock(name)
	if err != nil {
		return err
	}
	defer unlock()
	c, err := layout.Claim(name)
	if err != nil {
		return err
	}
	if healthy(ctx, c) {
		return nil
	}
	steps := []step{
		{"certificates", func(context.Context, layout.Cluster) error { return pki.Ensure(c) }},
		{"network namespace", func(context.Context, layout.Cluster) error { return hostnet.Ensure(c) }},
		{"cgroups", func(context.Context, layout.Cluster) error { return cgroups.Ensure(c.CgroupRoot()) }},
		{"configuration", writeConfiguration},
		{"container runtime, etcd and API server", startControlPlane},
		{"base objects", applyBaseObjects},
		{"controllers, kubelet, proxy, DNS, storage and network policies", startOthers},
		{"node ready", awaitNode},
	}
	for _, s := range steps {
		if err := report.Time(s.title, func() error { return s.do(ctx, c) }); err != nil {
			return err
		}
	}
	return nil
}

type step struct {
	title string
	do    func(context.Context, layout.Cluster) error
}

// healthy tells whether there is nothing to do.
func healthy(ctx context.Context, c layout.Cluster) bool {
	for _, part := range parts.All() {
		if !process.Alive(c, part.Name) || part.Ready.Ask(ctx, c) != nil {
			return false
		}
	}
	return nodeReady(ctx, c) == nil
}

func writeConfiguration(_ context.Context, c layout.Cluster) error {
	if err := os.MkdirAll(c.Run(), 0o755); err != nil {
		return err
	}
	if err := parts.WriteFiles(c); err != nil {
		return err
	}
	return installPlugins(c)
}

func startControlPlane(ctx context.Context, c layout.Cluster) error {
	if err := start(c, parts.ControlPlane); err != nil {
		return err
	}
	images := make(chan error, 1)
	go func() { images <- loadBaseImages(ctx, c) }()
	err := awaitAll(ctx, c, parts.ControlPlane)
	return errors.Join(err, <-images)
}

func startOthers(ctx context.Context, c layout.Cluster) error {
	if err := start(c, parts.Others); err != nil {
		return err
	}
	return awaitAll(ctx, c, parts.Others)
}

func start(c layout.Cluster, all []parts.Part) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, part := range all {
		if process.Alive(c, part.Name) {
			continue
		}
		if err := process.Start(c, part.Name, part.Argv(c, self)); err != nil {
			return err
		}
	}
	return nil
}

// BuildFolder is where this binary and what was built with it are.
func BuildFolder() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	self, err = filepath.EvalSymlinks(self)
	if err != nil {
		return "", err
	}
	return filepath.Dir(filepath.Dir(self)), nil
}

// loadBaseImages loads the images that every cluster has. The pause image must
// be there before the first pod: there is nowhere to pull it from.
func loadBaseImages(ctx context.Context, c layout.Cluster) error {
	built, err := BuildFolder()
	if err != nil {
		return err
	}
	runtime, err := parts.Find("containerd")
	if err != nil {
		return err
	}
	if err := await(ctx, c, runtime); err != nil {
		return err
	}
	return Load(ctx, c, []string{
		filepath.Join(built, "images", "pause.tar"), filepath.Join(built, "images", "probe.tar"),
	})
}

// Load imports image archives, as `docker save` and `buildah push
// docker-archive:` write them, into the cluster's container runtime.
func Load(ctx context.Context, c layout.Cluster, files []string) error {
	for _, file := range files {
		cmd := exec.CommandContext(ctx, "ctr", "--address", c.ContainerdSocket(), "--namespace", "k8s.io", "images", "import", file)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("failed to load the image archive %s: %w: %s", file, err, out)
		}
	}
	return nil
}
