package netpol

import (
	"net/netip"
	"slices"

	v1 "k8s.io/api/core/v1"
)

// endpoint is something that policies select: a pod with an address.
type endpoint struct {
	uid       string
	namespace string
	labels    map[string]string
	address   netip.Addr
	named     []namedPort
	// only restricts an endpoint to its named ports; the DNS server shares its
	// address with everything else of the node.
	only bool
}

type namedPort struct {
	name     string
	protocol v1.Protocol
	number   uint16
}

// endpoints returns one endpoint for each address in use, sorted by address.
func endpoints(config Config, state State) []*endpoint {
	owners := map[netip.Addr]*v1.Pod{}
	for _, pod := range state.Pods {
		address, ok := addressOf(config, state, pod)
		if !ok {
			continue
		}
		if owner, taken := owners[address]; !taken || replaces(state, pod, owner) {
			owners[address] = pod
		}
	}
	var all []*endpoint
	for address, pod := range owners {
		all = append(all, &endpoint{
			uid: string(pod.UID), namespace: pod.Namespace, labels: pod.Labels, address: address, named: namedPorts(pod),
		})
	}
	slices.SortFunc(all, func(a, b *endpoint) int { return a.address.Compare(b.address) })
	return all
}

// addressOf returns the pod's address. Pods in the node's network namespace
// have none of their own, and that of a pod that has ended may be another's.
func addressOf(config Config, state State, pod *v1.Pod) (netip.Addr, bool) {
	if pod.Spec.HostNetwork || pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed {
		return netip.Addr{}, false
	}
	address, ok := state.Addresses[string(pod.UID)]
	if !ok {
		parsed, err := netip.ParseAddr(pod.Status.PodIP)
		if err != nil {
			return netip.Addr{}, false
		}
		address = parsed
	}
	return address, config.Pods.Contains(address)
}

// replaces tells which of two pods with the same address has it now: the one
// that it was assigned to on this node, else the younger one.
func replaces(state State, pod, owner *v1.Pod) bool {
	_, podAssigned := state.Addresses[string(pod.UID)]
	_, ownerAssigned := state.Addresses[string(owner.UID)]
	if podAssigned != ownerAssigned {
		return podAssigned
	}
	if !pod.CreationTimestamp.Equal(&owner.CreationTimestamp) {
		return owner.CreationTimestamp.Before(&pod.CreationTimestamp)
	}
	return pod.UID > owner.UID // any rule will do that gives the same answer each time
}

// namedPorts returns the named ports of all containers, among them the init
// containers: those that keep running serve ports too.
func namedPorts(pod *v1.Pod) []namedPort {
	var ports []namedPort
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, port := range container.Ports {
			if port.Name != "" {
				ports = append(ports, namedPort{port.Name, protocolOr(port.Protocol), uint16(port.ContainerPort)})
			}
		}
	}
	return ports
}

func protocolOr(protocol v1.Protocol) v1.Protocol {
	if protocol == "" {
		return v1.ProtocolTCP
	}
	return protocol
}

func dnsEndpoint(config Config) *endpoint {
	return &endpoint{
		namespace: "kube-system", labels: map[string]string{"k8s-app": "kube-dns"}, address: config.DNS, only: true,
		named: []namedPort{{"dns", v1.ProtocolUDP, 53}, {"dns-tcp", v1.ProtocolTCP, 53}},
	}
}

func namespaceLabels(namespaces []*v1.Namespace) map[string]map[string]string {
	all := map[string]map[string]string{
		// The DNS server's namespace, should it be missing from the list.
		"kube-system": {v1.LabelMetadataName: "kube-system"},
	}
	for _, namespace := range namespaces {
		all[namespace.Name] = namespace.Labels
	}
	return all
}
