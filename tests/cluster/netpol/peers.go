package netpol

import (
	"net/netip"

	networking "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	utilnet "k8s.io/utils/net"
)

// selection is what the peers of one rule cover.
type selection struct {
	any       bool
	endpoints []*endpoint
	blocks    []block
}

// block is an IPv4 range without some ranges inside it.
type block struct {
	cidr   netip.Prefix
	except []netip.Prefix
}

func (b block) contains(address netip.Addr) bool {
	for _, except := range b.except {
		if except.Contains(address) {
			return false
		}
	}
	return b.cidr.Contains(address)
}

// selector finds what policies select.
type selector struct {
	endpoints  []*endpoint
	namespaces map[string]map[string]string
}

// peers returns what a rule's peers cover; a rule without peers covers all.
func (s selector) peers(namespace string, peers []networking.NetworkPolicyPeer) selection {
	if len(peers) == 0 {
		return selection{any: true}
	}
	var result selection
	for _, peer := range peers {
		if peer.IPBlock != nil {
			if b, ok := parseBlock(peer.IPBlock); ok {
				result.blocks = append(result.blocks, b)
			}
			continue
		}
		for _, e := range s.endpoints {
			if s.covers(namespace, peer, e) {
				result.endpoints = append(result.endpoints, e)
			}
		}
	}
	return result
}

func (s selector) covers(namespace string, peer networking.NetworkPolicyPeer, e *endpoint) bool {
	if peer.NamespaceSelector == nil {
		if e.namespace != namespace {
			return false
		}
	} else if known, ok := s.namespaces[e.namespace]; !ok || !matches(peer.NamespaceSelector, known) {
		return false
	}
	return peer.PodSelector == nil || matches(peer.PodSelector, e.labels)
}

// matches fails closed: a selector that cannot be read selects nothing.
func matches(selector *metav1.LabelSelector, set map[string]string) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set(set))
}

// parseBlock returns false for blocks that no IPv4 address is in, and for
// those with an exception that cannot be read.
func parseBlock(b *networking.IPBlock) (block, bool) {
	cidr, ok := parsePrefix(b.CIDR)
	if !ok || !cidr.Addr().Is4() {
		return block{}, false
	}
	result := block{cidr: cidr}
	for _, text := range b.Except {
		except, ok := parsePrefix(text)
		if !ok {
			return block{}, false
		}
		if except.Addr().Is4() {
			result.except = append(result.except, except)
		}
	}
	return result, true
}

// parsePrefix reads what the API server accepts: also leading zeros, and bits
// beyond the mask, which do not count.
func parsePrefix(text string) (netip.Prefix, bool) {
	_, parsed, err := utilnet.ParseCIDRSloppy(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	address, ok := netip.AddrFromSlice(parsed.IP)
	if !ok {
		return netip.Prefix{}, false
	}
	bits, _ := parsed.Mask.Size()
	return netip.PrefixFrom(address.Unmap(), bits).Masked(), true
}
