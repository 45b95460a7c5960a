package process

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"userengine.dev/testcluster/cgroups"
	"userengine.dev/testcluster/layout"
)

// All returns every process of the cluster: those in its network namespace
// (components and container shims) and those in its cgroup (pods).
func All(c layout.Cluster) ([]int, error) {
	pids, err := cgroups.Processes(c.CgroupRoot())
	if err != nil {
		return nil, err
	}
	inside, err := inNamespace(c)
	return append(pids, inside...), err
}

func inNamespace(c layout.Cluster) ([]int, error) {
	var namespace syscall.Stat_t
	if err := syscall.Stat(c.NetNS(), &namespace); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		var own syscall.Stat_t
		if syscall.Stat("/proc/"+entry.Name()+"/ns/net", &own) != nil {
			continue // it has ended, or is a kernel thread
		}
		if own.Ino == namespace.Ino && own.Dev == namespace.Dev {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
