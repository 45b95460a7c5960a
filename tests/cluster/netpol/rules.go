package netpol

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	networking "k8s.io/api/networking/v1"
)

// ingress returns the rules for packets to the pod, and whether any policy
// isolates it: without one, everything may reach it.
func (s selector) ingress(pod *endpoint, policies []*networking.NetworkPolicy) (rules []string, isolated bool) {
	for _, policy := range policies {
		if !selects(policy, pod) || !hasType(policy, networking.PolicyTypeIngress) {
			continue
		}
		isolated = true
		for _, rule := range policy.Spec.Ingress {
			ports := resolve(portMatches(rule.Ports), pod)
			if len(rule.Ports) > 0 && len(ports) == 0 {
				continue // only names that this pod does not have
			}
			rules = append(rules, allow(addressMatches("saddr", s.peers(policy.Namespace, rule.From)), ports)...)
		}
	}
	return rules, isolated
}

// egress is the same for packets from the pod. Names of ports are those of
// each destination, and so is the restriction to its named ports.
func (s selector) egress(pod *endpoint, policies []*networking.NetworkPolicy) (rules []string, isolated bool) {
	for _, policy := range policies {
		if !selects(policy, pod) || !hasType(policy, networking.PolicyTypeEgress) {
			continue
		}
		isolated = true
		for _, rule := range policy.Spec.Egress {
			rules = append(rules, s.egressRule(s.peers(policy.Namespace, rule.To), portMatches(rule.Ports))...)
		}
	}
	return rules, isolated
}

func (s selector) egressRule(peers selection, ports []portMatch) []string {
	var rules []string
	numbers := slices.DeleteFunc(slices.Clone(ports), func(m portMatch) bool { return m.name != "" })
	if len(ports) == 0 || len(numbers) > 0 {
		rules = allow(addressMatches("daddr", peers), numbers)
	}
	for _, destination := range s.destinations(peers) {
		for _, port := range destination.named {
			if slices.ContainsFunc(ports, func(m portMatch) bool { return m.name != "" && m.matches(port) }) ||
				destination.only && (len(ports) == 0 || slices.ContainsFunc(ports, func(m portMatch) bool { return m.matches(port) })) {
				match := portMatch{protocol: port.protocol, first: port.number, last: port.number}
				rules = append(rules, fmt.Sprintf("ip daddr %s %s return", destination.address, match.expression()))
			}
		}
	}
	return rules
}

// destinations are the endpoints that the peers cover, in whatever way.
func (s selector) destinations(peers selection) []*endpoint {
	var all []*endpoint
	for _, e := range s.endpoints {
		if peers.any || slices.Contains(peers.endpoints, e) ||
			slices.ContainsFunc(peers.blocks, func(b block) bool { return b.contains(e.address) }) {
			all = append(all, e)
		}
	}
	return all
}

// allow combines each address match with each port; no ports means every port
// of every protocol.
func allow(addresses []string, ports []portMatch) []string {
	var rules []string
	for _, address := range addresses {
		if len(ports) == 0 {
			rules = append(rules, join(address, "return"))
		}
		for _, port := range ports {
			rules = append(rules, join(address, port.expression(), "return"))
		}
	}
	return rules
}

// addressMatches expresses the peers for a field of the IP header. Endpoints
// that are restricted to ports are left out: the caller names their ports.
func addressMatches(field string, peers selection) []string {
	if peers.any {
		return []string{""}
	}
	var matches []string
	if set := addressSet(peers.endpoints); set != "" {
		matches = append(matches, fmt.Sprintf("ip %s %s", field, set))
	}
	for _, b := range peers.blocks {
		var match []string
		if b.cidr.Bits() > 0 { // every address is in a range of 0 bits
			match = append(match, fmt.Sprintf("ip %s %s", field, b.cidr))
		}
		for _, except := range b.except {
			match = append(match, fmt.Sprintf("ip %s != %s", field, except))
		}
		matches = append(matches, strings.Join(match, " "))
	}
	return matches
}

func addressSet(all []*endpoint) string {
	var addresses []netip.Addr
	for _, e := range all {
		if !e.only {
			addresses = append(addresses, e.address)
		}
	}
	if len(addresses) == 0 {
		return ""
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	var texts []string
	for _, address := range slices.Compact(addresses) {
		texts = append(texts, address.String())
	}
	return "{ " + strings.Join(texts, ", ") + " }"
}

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), " ")
}

func selects(policy *networking.NetworkPolicy, pod *endpoint) bool {
	return policy.Namespace == pod.namespace && matches(&policy.Spec.PodSelector, pod.labels)
}

// hasType applies the default for policies without types: ingress always, and
// egress when there are egress rules.
func hasType(policy *networking.NetworkPolicy, want networking.PolicyType) bool {
	if len(policy.Spec.PolicyTypes) > 0 {
		return slices.Contains(policy.Spec.PolicyTypes, want)
	}
	return want == networking.PolicyTypeIngress || len(policy.Spec.Egress) > 0
}
