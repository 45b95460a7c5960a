package lifecycle

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"userengine.dev/testcluster/layout"
)

// installPlugins fills the cluster's own folder of CNI plugins: the runtime
// looks in one folder only, and one of the plugins is ours. That one is copied,
// since builds are removed when newer ones replace them and a cluster needs its
// plugin for every pod.
func installPlugins(c layout.Cluster) error {
	folder := c.File("cni", "bin")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"ptp", "host-local", "portmap", "loopback"} {
		link := filepath.Join(folder, name)
		if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink(filepath.Join(pluginFolder(), name), link); err != nil {
			return err
		}
	}
	built, err := BuildFolder()
	if err != nil {
		return err
	}
	return copyProgram(filepath.Join(built, "cni", "policy-gate"), filepath.Join(folder, "policy-gate"))
}

// copyProgram replaces to at once, also while the old one runs.
func copyProgram(from, to string) error {
	program, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to+".new", program, 0o755); err != nil {
		return err
	}
	return os.Rename(to+".new", to)
}
