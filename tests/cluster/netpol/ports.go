package netpol

import (
	"fmt"
	"strings"

	v1 "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// portMatch is one entry of a policy's ports: a range of numbers, all numbers
// of a protocol (0 to 65535), or a name that each destination resolves.
type portMatch struct {
	protocol    v1.Protocol
	first, last uint16
	name        string
}

func portMatches(ports []networking.NetworkPolicyPort) []portMatch {
	var all []portMatch
	for _, port := range ports {
		match := portMatch{protocol: v1.ProtocolTCP}
		if port.Protocol != nil {
			match.protocol = *port.Protocol
		}
		switch {
		case port.Port == nil:
			match.last = 65535
		case port.Port.Type == intstr.String:
			match.name = port.Port.StrVal
		default:
			match.first = uint16(port.Port.IntVal)
			match.last = match.first
			if port.EndPort != nil {
				match.last = uint16(*port.EndPort)
			}
		}
		all = append(all, match)
	}
	return all
}

// matches tells whether the entry covers the port of a destination.
func (m portMatch) matches(port namedPort) bool {
	if m.protocol != port.protocol {
		return false
	}
	if m.name != "" {
		return m.name == port.name
	}
	return m.first <= port.number && port.number <= m.last
}

// expression is the match in the language of nft. It is for numbers only.
func (m portMatch) expression() string {
	protocol := strings.ToLower(string(m.protocol))
	switch {
	case m.first == 0 && m.last == 65535:
		return "meta l4proto " + protocol
	case m.first == m.last:
		return fmt.Sprintf("%s dport %d", protocol, m.first)
	}
	return fmt.Sprintf("%s dport %d-%d", protocol, m.first, m.last)
}

// resolve replaces names by the numbers that the endpoint gives them. A name
// that it does not have matches nothing.
func resolve(matches []portMatch, e *endpoint) []portMatch {
	var all []portMatch
	for _, match := range matches {
		if match.name == "" {
			all = append(all, match)
			continue
		}
		for _, port := range e.named {
			if match.matches(port) {
				all = append(all, portMatch{protocol: port.protocol, first: port.number, last: port.number})
			}
		}
	}
	return all
}
