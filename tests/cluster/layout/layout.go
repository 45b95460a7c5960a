// Package layout says where everything of a cluster is: its addresses, files
// and kernel objects. All of it follows from the cluster's name and index, so
// two clusters with different names and indexes share nothing.
package layout

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
)

const (
	// Base is the folder that holds one state folder for each cluster.
	Base = "/var/lib/userengine-cluster"
	// MaxClusters is how many clusters fit into the address plan.
	MaxClusters = 16
	// NodeName is the name of the one node of every cluster.
	NodeName = "node0"
	// PauseImage and ProbeImage are loaded into every cluster.
	PauseImage = "localhost/pause:1"
	ProbeImage = "localhost/userengine-probe:1"
)

// Names end up in interface names, whose limit is 15 bytes with our prefix.
var validName = regexp.MustCompile(`^[a-z0-9-]{1,12}$`)

// Cluster identifies one cluster on this machine.
type Cluster struct {
	Name  string
	Index int
}

// CheckName refuses names that do not fit into every place a name is used in.
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("cluster name %q: use 1 to 12 characters of a-z, 0-9 and '-'", name)
	}
	return nil
}

func (c Cluster) net(second, third, last byte, bits int) netip.Prefix {
	offset := byte(16 * c.Index)
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, second, offset + third, last}), bits)
}

// NodeNet is the subnet that the node and the machine share.
func (c Cluster) NodeNet() netip.Prefix { return c.net(18, 0, 0, 24) }

// Services is the range of service addresses.
func (c Cluster) Services() netip.Prefix { return c.net(18, 8, 0, 21) }

// Pods is the range of pod addresses.
func (c Cluster) Pods() netip.Prefix { return c.net(19, 0, 0, 20) }

// Node is the address of the node; the API server and the DNS server listen on it.
func (c Cluster) Node() netip.Addr { return c.net(18, 0, 1, 32).Addr() }

// Machine is the address of this machine as the cluster sees it.
func (c Cluster) Machine() netip.Addr { return c.net(18, 0, 254, 32).Addr() }

// APIService is the address of the service kubernetes.default, which is always
// the first one of the service range.
func (c Cluster) APIService() netip.Addr { return c.Services().Addr().Next() }

// APIServer is the URL of the API server.
func (c Cluster) APIServer() string { return fmt.Sprintf("https://%s:6443", c.Node()) }

// ID prefixes the name of every kernel object of the cluster: its network
// namespace, its interface on the machine, its CNI network and its cgroup.
func (c Cluster) ID() string { return "ue-" + c.Name }

// State is the folder with everything that outlives a process.
func (c Cluster) State() string { return filepath.Join(Base, c.Name) }

// Run is the folder for sockets: short, since a socket's path ends at 107 bytes.
func (c Cluster) Run() string { return "/run/" + c.ID() }

// File is a path below the state folder.
func (c Cluster) File(parts ...string) string {
	return filepath.Join(append([]string{c.State()}, parts...)...)
}

// NetNS is the file of the network namespace.
func (c Cluster) NetNS() string { return "/run/netns/" + c.ID() }

// Kubeconfig is the path of the kubeconfig of the given user; "admin" may do everything.
func (c Cluster) Kubeconfig(user string) string { return c.File(user + ".kubeconfig") }

// Log is the log file of a component.
func (c Cluster) Log(component string) string { return c.File("log", component+".log") }

// ContainerdSocket is where the container runtime listens.
func (c Cluster) ContainerdSocket() string { return c.Run() + "/containerd.sock" }

// PolicySocket is where the network policy enforcer learns of new pods.
func (c Cluster) PolicySocket() string { return c.Run() + "/network-policy.sock" }

// CgroupRoot is the cgroup, below the root of each hierarchy, that holds all pods.
func (c Cluster) CgroupRoot() string { return "/" + c.ID() }
