// Package cgroups makes and removes the cgroup that holds all pods of a
// cluster. Each cluster has its own: a kubelet ends every pod below its root
// that it does not know, so two of them under one root end each other's pods.
package cgroups

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/moby/sys/mountinfo"
)

// hierarchies returns the mount points of every cgroup hierarchy, v1 and v2.
func hierarchies() ([]*mountinfo.Info, error) {
	return mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup", "cgroup2"))
}

// Ensure creates the cgroup root in every hierarchy and makes it usable: a v1
// cpuset takes no process before it has processors and memory nodes, and a v2
// group has only the controllers that its parent passes down.
func Ensure(root string) error {
	mounts, err := hierarchies()
	if err != nil {
		return err
	}
	if len(mounts) == 0 {
		return errors.New("no cgroup hierarchy is mounted: mount cgroup v2 on /sys/fs/cgroup")
	}
	for _, mount := range mounts {
		dir := filepath.Join(mount.Mountpoint, root)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("failed to create the cgroup %s: %w", dir, err)
		}
		if mount.FSType == "cgroup2" {
			passDown(mount.Mountpoint)
			passDown(dir)
		}
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if err := inherit(mount, dir, file); err != nil {
				return err
			}
		}
	}
	return nil
}

// passDown enables every controller for the children of a v2 group. A
// controller that cannot be enabled is the kubelet's to complain about: it
// knows which ones it needs.
func passDown(dir string) {
	controllers, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return
	}
	for _, controller := range strings.Fields(string(controllers)) {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
	}
}

func inherit(mount *mountinfo.Info, dir, file string) error {
	if mount.FSType != "cgroup" {
		return nil
	}
	value, err := os.ReadFile(filepath.Join(mount.Mountpoint, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, file), value, 0o644); err != nil {
		return fmt.Errorf("failed to initialise %s: %w", filepath.Join(dir, file), err)
	}
	return nil
}

// Processes returns the ids of all processes in the cgroup root and below.
func Processes(root string) ([]int, error) {
	var pids []int
	seen := map[int]bool{}
	err := walk(root, func(dir string) error {
		text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil {
			return ignoreGone(err)
		}
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil && !seen[pid] {
				seen[pid] = true
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids, err
}

// Existing returns the folders of the cgroup root and of every group below it.
func Existing(root string) ([]string, error) {
	var dirs []string
	err := walk(root, func(dir string) error { dirs = append(dirs, dir); return nil })
	return dirs, err
}

// Remove removes the cgroup root, which must have no process left.
func Remove(root string) error {
	dirs, err := Existing(root)
	if err != nil {
		return err
	}
	var failed []error
	for i := len(dirs) - 1; i >= 0; i-- { // parents come before their children
		if err := os.Remove(dirs[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// walk visits the root and every group below it, in every hierarchy.
func walk(root string, visit func(dir string) error) error {
	mounts, err := hierarchies()
	if err != nil {
		return err
	}
	for _, mount := range mounts {
		err := filepath.WalkDir(filepath.Join(mount.Mountpoint, root), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return ignoreGone(err)
			}
			if !entry.IsDir() {
				return nil
			}
			return visit(path)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ignoreGone tolerates groups that end while they are looked at; reading a
// file of a removed group gives ENODEV.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
		return nil
	}
	return err
}
