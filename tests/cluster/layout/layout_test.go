package layout

import (
	"net/netip"
	"testing"
)

func TestRangesOfAllClustersAreDisjoint(t *testing.T) {
	var seen []netip.Prefix
	for index := range MaxClusters {
		c := Cluster{Name: "x", Index: index}
		for _, prefix := range []netip.Prefix{c.NodeNet(), c.Services(), c.Pods()} {
			if prefix != prefix.Masked() {
				t.Errorf("cluster %d: %s has host bits set", index, prefix)
			}
			for _, other := range seen {
				if prefix.Overlaps(other) {
					t.Errorf("cluster %d: %s overlaps %s", index, prefix, other)
				}
			}
			seen = append(seen, prefix)
		}
	}
}

func TestEveryAddressIsInsideItsRange(t *testing.T) {
	for index := range MaxClusters {
		c := Cluster{Name: "x", Index: index}
		if !c.NodeNet().Contains(c.Node()) || !c.NodeNet().Contains(c.Machine()) {
			t.Errorf("cluster %d: node %s or machine %s outside %s", index, c.Node(), c.Machine(), c.NodeNet())
		}
		if !c.Services().Contains(c.APIService()) {
			t.Errorf("cluster %d: API service %s outside %s", index, c.APIService(), c.Services())
		}
	}
}

func TestNamesThatFitNowhereAreRefused(t *testing.T) {
	for name, ok := range map[string]bool{
		"dev": true, "a": true, "twelve-chars": true,
		"": false, "thirteen-char": false, "Dev": false, "../etc": false, "a b": false,
	} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("CheckName(%q) = %v, want ok=%v", name, err, ok)
		}
	}
}

func TestInterfaceNameFitsTheKernelLimit(t *testing.T) {
	if id := (Cluster{Name: "twelve-chars"}).ID(); len(id) > 15 {
		t.Errorf("%q is %d bytes, an interface name has at most 15", id, len(id))
	}
}
