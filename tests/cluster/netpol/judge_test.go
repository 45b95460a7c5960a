package netpol

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// packet is the first one of a connection.
type packet struct {
	from, to string
	protocol string
	port     int
}

// passes judges a packet between pods, or between a pod and the outside, as
// the kernel does with the rules: the source's egress and the destination's
// ingress must both let it pass.
func passes(t *testing.T, rules Ruleset, pods netip.Prefix, p packet) bool {
	t.Helper()
	from, to := netip.MustParseAddr(p.from), netip.MustParseAddr(p.to)
	side := func(address netip.Addr, chains map[netip.Addr]string) bool {
		if !pods.Contains(address) {
			return true
		}
		if chain, isolated := chains[address]; isolated && !returns(t, rules.Chains[chain], p) {
			return false
		}
		return slices.Contains(rules.Known, address)
	}
	return side(from, rules.Egress) && side(to, rules.Ingress)
}

func returns(t *testing.T, rules []string, p packet) bool {
	t.Helper()
	return slices.ContainsFunc(rules, func(rule string) bool { return ruleReturns(t, rule, p) })
}

func ruleReturns(t *testing.T, rule string, p packet) bool {
	t.Helper()
	words := strings.Fields(strings.NewReplacer("{ ", "{", " }", "}", ", ", ",").Replace(rule))
	for len(words) > 0 {
		var match bool
		switch {
		case words[0] == "return":
			return true
		case words[0] == "ip" && words[2] == "!=":
			match, words = !inSet(t, words[3], p.field(words[1])), words[4:]
		case words[0] == "ip":
			match, words = inSet(t, words[2], p.field(words[1])), words[3:]
		case words[0] == "meta":
			match, words = words[2] == p.protocol, words[3:]
		case words[1] == "dport":
			match, words = words[0] == p.protocol && inRange(t, words[2], p.port), words[3:]
		default:
			t.Fatalf("cannot judge %q", rule)
		}
		if !match {
			return false
		}
	}
	t.Fatalf("%q has no verdict", rule)
	return false
}

func (p packet) field(name string) netip.Addr {
	if name == "saddr" {
		return netip.MustParseAddr(p.from)
	}
	return netip.MustParseAddr(p.to)
}

func inSet(t *testing.T, set string, address netip.Addr) bool {
	t.Helper()
	for _, member := range strings.Split(strings.Trim(set, "{}"), ",") {
		if !strings.Contains(member, "/") {
			member += "/32"
		}
		if netip.MustParsePrefix(member).Contains(address) {
			return true
		}
	}
	return false
}

func inRange(t *testing.T, text string, port int) bool {
	t.Helper()
	first, last, ranged := strings.Cut(text, "-")
	if !ranged {
		last = first
	}
	low, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	high, err := strconv.Atoi(last)
	if err != nil {
		t.Fatal(err)
	}
	return low <= port && port <= high
}
