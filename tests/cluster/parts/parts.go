// Package parts knows the programs that a cluster consists of: how each is
// called, configured and asked whether it is ready.
package parts

import (
	"fmt"
	"slices"
	"strings"

	"userengine.dev/testcluster/layout"
)

// Part is one background program of a cluster.
type Part struct {
	Name string
	// Args is its command line without the program.
	Args func(c layout.Cluster) []string
	// Ready tells what to ask before the part counts as ready.
	Ready Check
	// External parts are programs of the machine; the others are this binary.
	External bool
}

// Argv is the whole command line; self is the path of this binary.
func (p Part) Argv(c layout.Cluster, self string) []string {
	if p.External {
		return append([]string{p.Name}, p.Args(c)...)
	}
	return append([]string{self, p.Name}, p.Args(c)...)
}

// ControlPlane comes first: everything else needs it.
var ControlPlane = []Part{
	{Name: "containerd", Args: containerd, Ready: Check{Socket: layout.Cluster.ContainerdSocket}, External: true},
	{Name: "etcd", Args: etcd, Ready: httpCheck(2381, "/health")},
	{Name: "kube-apiserver", Args: apiServer, Ready: httpsCheck(6443, "/readyz")},
}

// Others start together once the API server answers.
var Others = []Part{
	{Name: "kube-controller-manager", Args: controllerManager, Ready: httpsCheck(10257, "/healthz")},
	{Name: "kube-scheduler", Args: scheduler, Ready: httpsCheck(10259, "/readyz")},
	{Name: "network-policy", Args: networkPolicy, Ready: httpCheck(10301, "/healthz")},
	{Name: "kubelet", Args: kubelet, Ready: httpCheck(10248, "/healthz")},
	{Name: "kube-proxy", Args: kubeProxy, Ready: httpCheck(10256, "/healthz")},
	{Name: "coredns", Args: coreDNS, Ready: httpCheck(8181, "/ready")},
	{Name: "storage-provisioner", Args: provisioner, Ready: httpCheck(10302, "/healthz")},
}

// All lists every part in the order in which they start.
func All() []Part { return slices.Concat(ControlPlane, Others) }

// Names lists the names of all parts in the order in which they start.
func Names() []string {
	var names []string
	for _, part := range All() {
		names = append(names, part.Name)
	}
	return names
}

// Find returns the part called name.
func Find(name string) (Part, error) {
	for _, part := range All() {
		if part.Name == name {
			return part, nil
		}
	}
	return Part{}, fmt.Errorf("no component is called %q: choose one of %s", name, strings.Join(Names(), ", "))
}
