package lifecycle

import (
	"errors"
	"fmt"
	"os"

	"userengine.dev/testcluster/cgroups"
	"userengine.dev/testcluster/layout"
	"userengine.dev/testcluster/process"
)

// leftovers looks for anything of the cluster that is still there and returns
// it as an error. It looks at the machine, not at what Down believes it did.
func leftovers(c layout.Cluster) error {
	var found []error
	pids, err := process.All(c)
	found = append(found, err)
	if len(pids) > 0 {
		found = append(found, fmt.Errorf("left behind: processes %v", pids))
	}
	points, err := mounts(c)
	found = append(found, err)
	for _, point := range points {
		found = append(found, fmt.Errorf("left behind: mount %s", point))
	}
	paths := append(sharedFiles(c), c.State(), c.Run(), c.NetNS(), "/sys/class/net/"+c.ID())
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil {
			found = append(found, fmt.Errorf("left behind: %s", path))
		}
	}
	groups, err := cgroups.Existing(c.CgroupRoot())
	found = append(found, err)
	for _, group := range groups {
		found = append(found, fmt.Errorf("left behind: cgroup %s", group))
	}
	return errors.Join(found...)
}
