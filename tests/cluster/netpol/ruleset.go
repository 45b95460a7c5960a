// Package netpol enforces networking.k8s.io/v1 NetworkPolicies for the pods of
// the node. Compute, a pure function, turns pods, namespaces and policies into
// a Ruleset; the rest keeps the kernel's nftables equal to it.
//
// What is not known is dropped: an address of the pod range that belongs to no
// known pod reaches nothing and is reached by nothing but the node.
package netpol

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
)

// Config is what stays the same for the life of a cluster.
type Config struct {
	// Pods is the range of pod addresses.
	Pods netip.Prefix
	// DNS is the address of the node's DNS server. To policies it is a pod in
	// kube-system with the label k8s-app=kube-dns and port 53, as in most
	// clusters, so that policies written for those work here.
	DNS netip.Addr
}

// State is what a ruleset follows from.
type State struct {
	Pods       []*v1.Pod
	Namespaces []*v1.Namespace
	Policies   []*networking.NetworkPolicy
	// Addresses holds, by pod UID, addresses that were assigned on this node.
	// They are known before the pod's status tells them, and are right where
	// the status of a pod that ends is not any more.
	Addresses map[string]netip.Addr
}

// Ruleset is what the kernel shall do. Equal rulesets are deeply equal.
type Ruleset struct {
	// Known lists the addresses of all known pods, sorted.
	Known []netip.Addr
	// Ingress and Egress map the isolated pods to the chain that judges
	// packets to, and from, them.
	Ingress, Egress map[netip.Addr]string
	// Chains holds the rules of these chains. A packet that no rule returns is
	// dropped. Pods with the same rules share a chain.
	Chains map[string][]string
}

// Compute derives the ruleset. It never fails: what it cannot understand
// allows nothing.
func Compute(config Config, state State) Ruleset {
	all := endpoints(config, state)
	s := selector{endpoints: append(slices.Clone(all), dnsEndpoint(config)), namespaces: namespaceLabels(state.Namespaces)}
	result := Ruleset{
		Ingress: map[netip.Addr]string{}, Egress: map[netip.Addr]string{}, Chains: map[string][]string{},
	}
	for _, pod := range all {
		result.Known = append(result.Known, pod.address)
		if rules, isolated := s.ingress(pod, state.Policies); isolated {
			result.Ingress[pod.address] = result.chain("ingress", rules)
		}
		if rules, isolated := s.egress(pod, state.Policies); isolated {
			result.Egress[pod.address] = result.chain("egress", rules)
		}
	}
	return result
}

// chain returns the name of the chain with these rules and records it. The
// name follows from the rules, whatever the order of the policies was.
func (r *Ruleset) chain(direction string, rules []string) string {
	slices.Sort(rules)
	rules = slices.Compact(rules)
	sum := sha256.Sum256([]byte(strings.Join(rules, "\n")))
	name := direction + "-" + hex.EncodeToString(sum[:8])
	r.Chains[name] = rules
	return name
}
