package netpol

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"sigs.k8s.io/knftables"
)

// tableName is the one table that belongs to the enforcer.
const tableName = "userengine-netpol"

// kernel writes rulesets.
type kernel struct {
	nft  knftables.Interface
	pods netip.Prefix
}

func newKernel(pods netip.Prefix) (*kernel, error) {
	nft, err := knftables.New(knftables.IPv4Family, tableName)
	if err != nil {
		return nil, fmt.Errorf("failed to use nftables: %w", err)
	}
	return &kernel{nft, pods}, nil
}

// write replaces the whole table in one transaction: each packet is judged by
// the old rules or by the new ones, never by a part of either.
func (k *kernel) write(ctx context.Context, rules Ruleset) error {
	tx := k.nft.NewTransaction()
	tx.Add(&knftables.Table{}) // so that it can be deleted if it is not there
	tx.Delete(&knftables.Table{})
	tx.Add(&knftables.Table{})
	addSets(tx, rules)
	for _, name := range sortedKeys(rules.Chains) {
		tx.Add(&knftables.Chain{Name: name})
		for _, rule := range rules.Chains[name] {
			tx.Add(&knftables.Rule{Chain: name, Rule: rule})
		}
		tx.Add(&knftables.Rule{Chain: name, Rule: "counter drop"})
	}
	addElements(tx, rules)
	k.addBaseChains(tx)
	return k.nft.Run(ctx, tx)
}

func addSets(tx *knftables.Transaction, rules Ruleset) {
	tx.Add(&knftables.Set{Name: "pods", Type: "ipv4_addr"})
	tx.Add(&knftables.Set{Name: "self", Type: "ipv4_addr . ipv4_addr"})
	tx.Add(&knftables.Map{Name: "ingress", Type: "ipv4_addr : verdict"})
	tx.Add(&knftables.Map{Name: "egress", Type: "ipv4_addr : verdict"})
	for _, address := range rules.Known {
		text := address.String()
		tx.Add(&knftables.Element{Set: "pods", Key: []string{text}})
		tx.Add(&knftables.Element{Set: "self", Key: []string{text, text}})
	}
}

func addElements(tx *knftables.Transaction, rules Ruleset) {
	for name, chains := range map[string]map[netip.Addr]string{"ingress": rules.Ingress, "egress": rules.Egress} {
		for address, chain := range chains {
			tx.Add(&knftables.Element{Map: name, Key: []string{address.String()}, Value: []string{"jump " + chain}})
		}
	}
}

// addBaseChains hooks the table in after the translation of service addresses,
// so that policies see the pods behind a service. Packets between pods pass
// the forward hook, and packets from a pod to the node's own addresses (API
// server, DNS, kubelet) the input hook. What the node itself sends is not
// judged: the kubelet's probes must always reach the pods.
func (k *kernel) addBaseChains(tx *knftables.Transaction) {
	chain := func(name string, hook knftables.BaseChainHook, rules ...string) {
		c := &knftables.Chain{Name: name}
		if hook != "" {
			c.Type, c.Hook = knftables.PtrTo(knftables.FilterType), knftables.PtrTo(hook)
			c.Priority = knftables.PtrTo(knftables.FilterPriority)
		}
		tx.Add(c)
		for _, rule := range rules {
			tx.Add(&knftables.Rule{Chain: name, Rule: rule})
		}
	}
	const established = "ct state established,related accept"
	chain("from-pod", "", "ip saddr vmap @egress", "ip saddr != @pods counter drop")
	chain("to-pod", "", "ip daddr vmap @ingress", "ip daddr != @pods counter drop")
	chain("forward", knftables.ForwardHook,
		established,
		// A pod always reaches itself, also through a service.
		"ip saddr . ip daddr @self accept",
		fmt.Sprintf("ip saddr %s jump from-pod", k.pods),
		fmt.Sprintf("ip daddr %s jump to-pod", k.pods),
	)
	chain("input", knftables.InputHook,
		"iifname lo accept", // the node itself, by whichever of its addresses
		established,
		fmt.Sprintf("ip saddr %s jump from-pod", k.pods),
	)
}

func sortedKeys(chains map[string][]string) []string {
	var names []string
	for name := range chains {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
