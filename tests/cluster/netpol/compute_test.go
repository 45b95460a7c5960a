package netpol

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

var config = Config{Pods: netip.MustParsePrefix("10.1.0.0/16"), DNS: netip.MustParseAddr("10.0.0.1")}

const (
	client = "10.1.0.1" // namespace a, app=client
	server = "10.1.0.2" // namespace a, app=server, port web is 8080
	other  = "10.1.0.3" // namespace b, app=client
	second = "10.1.0.4" // namespace b, app=server, port web is 9090
	nobody = "10.1.9.9" // in the pod range, but of no pod
	node   = "10.0.0.1"
	remote = "192.0.2.7"
)

func pod(namespace, name, address, app string, web int32) *v1.Pod {
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(namespace + name), Labels: map[string]string{"app": app}},
		Spec:       v1.PodSpec{Containers: []v1.Container{{Ports: []v1.ContainerPort{{Name: "web", ContainerPort: web}}}}},
		Status:     v1.PodStatus{Phase: v1.PodRunning, PodIP: address},
	}
}

func namespace(name, team string) *v1.Namespace {
	return &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": team, v1.LabelMetadataName: name}}}
}

func world(policies ...*networking.NetworkPolicy) State {
	return State{
		Pods: []*v1.Pod{
			pod("a", "client", client, "client", 1), pod("a", "server", server, "server", 8080),
			pod("b", "client", other, "client", 1), pod("b", "server", second, "server", 9090),
		},
		Namespaces: []*v1.Namespace{namespace("a", "red"), namespace("b", "blue")},
		Policies:   policies,
	}
}

// policy reads the spec of a policy in namespace a.
func policy(t *testing.T, spec string) *networking.NetworkPolicy {
	t.Helper()
	p := &networking.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p"}}
	if err := yaml.UnmarshalStrict([]byte(spec), &p.Spec); err != nil {
		t.Fatalf("%s: %v", spec, err)
	}
	return p
}

func tcp(from, to string, port int) packet  { return packet{from, to, "tcp", port} }
func udp(from, to string, port int) packet  { return packet{from, to, "udp", port} }
func sctp(from, to string, port int) packet { return packet{from, to, "sctp", port} }

// Each policy lets some packets pass and drops others.
var judgements = map[string]struct {
	specs          []string
	passed, denied []packet
}{
	"no policy lets everything between known addresses pass": {
		passed: []packet{tcp(client, server, 80), udp(other, server, 53), tcp(remote, server, 80), tcp(server, remote, 80)},
		denied: []packet{tcp(nobody, server, 80), tcp(client, nobody, 80), tcp(remote, nobody, 80), tcp(nobody, node, 6443)},
	},
	"a policy without rules denies ingress, and isolates only what it selects": {
		specs:  []string{`{podSelector: {matchLabels: {app: server}}}`},
		passed: []packet{tcp(server, client, 80), tcp(server, remote, 80), tcp(client, second, 80)},
		denied: []packet{tcp(client, server, 80), tcp(remote, server, 80), udp(client, server, 80)},
	},
	"an empty rule allows everything": {
		specs:  []string{`{podSelector: {}, ingress: [{}]}`},
		passed: []packet{tcp(client, server, 80), tcp(remote, server, 80), sctp(other, server, 7)},
		denied: []packet{tcp(nobody, server, 80)},
	},
	"egress type alone leaves ingress open": {
		specs:  []string{`{podSelector: {matchLabels: {app: server}}, policyTypes: [Egress]}`},
		passed: []packet{tcp(client, server, 80)},
		denied: []packet{tcp(server, client, 80), tcp(server, node, 53), tcp(server, remote, 443)},
	},
	"egress rules imply the type egress": {
		specs:  []string{`{podSelector: {matchLabels: {app: client}}, ingress: [{}], egress: [{ports: [{port: 443}]}]}`},
		passed: []packet{tcp(client, remote, 443), tcp(server, client, 1)},
		denied: []packet{tcp(client, remote, 80)},
	},
	"a pod selector means the namespace of the policy": {
		specs:  []string{`{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]}`},
		passed: []packet{tcp(client, server, 80)},
		denied: []packet{tcp(other, server, 80), tcp(remote, server, 80)},
	},
	"a namespace selector means all pods there": {
		specs:  []string{`{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}]}`},
		passed: []packet{tcp(other, server, 80), tcp(second, server, 80)},
		denied: []packet{tcp(client, server, 80)},
	},
	"both selectors in one peer must match": {
		specs:  []string{`{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}, podSelector: {matchLabels: {app: client}}}]}]}`},
		passed: []packet{tcp(other, server, 80)},
		denied: []packet{tcp(second, server, 80), tcp(client, server, 80)},
	},
	"two peers are alternatives": {
		specs:  []string{`{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}, {podSelector: {matchLabels: {app: client}}}]}]}`},
		passed: []packet{tcp(second, server, 80), tcp(client, server, 80)},
		denied: []packet{tcp(remote, server, 80)},
	},
	"match expressions count": {
		specs:  []string{`{podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [client]}]}, ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: Exists}]}}]}]}`},
		passed: []packet{tcp(client, server, 80), tcp(other, client, 80)},
		denied: []packet{tcp(other, server, 80)},
	},
	"an address block has exceptions": {
		specs:  []string{`{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.128/25, 192.0.2.0/30]}}]}]}`},
		passed: []packet{tcp("192.0.2.7", server, 80)},
		denied: []packet{tcp("192.0.2.200", server, 80), tcp("192.0.2.1", server, 80), tcp("192.0.3.1", server, 80), tcp(client, server, 80)},
	},
	"the block of all addresses has exceptions too": {
		specs:  []string{`{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.1.0.2/32]}}]}]}`},
		passed: []packet{tcp(client, remote, 80), tcp(client, second, 80)},
		denied: []packet{tcp(client, server, 80)},
	},
	"an IPv6 block allows no IPv4 address and breaks nothing": {
		specs:  []string{`{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{ipBlock: {cidr: "::/0", except: ["fd00::/8"]}}]}, {from: [{ipBlock: {cidr: "2001:db8::/32"}}, {podSelector: {matchLabels: {app: client}}}]}]}`},
		passed: []packet{tcp(client, server, 80)},
		denied: []packet{tcp(remote, server, 80), tcp(other, server, 80)},
	},
	"ports have a protocol, a range and a default": {
		specs: []string{`{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: 80}, {port: 100, endPort: 110}, {protocol: UDP, port: 53}, {protocol: SCTP}]}]}`},
		passed: []packet{
			tcp(client, server, 80), tcp(client, server, 100), tcp(client, server, 110), udp(remote, server, 53), sctp(client, server, 9),
		},
		denied: []packet{tcp(client, server, 81), tcp(client, server, 111), tcp(client, server, 99), udp(client, server, 80), tcp(client, server, 53)},
	},
	"a named port at ingress is the destination's": {
		specs:  []string{`{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: web}]}]}`},
		passed: []packet{tcp(client, server, 8080)},
		denied: []packet{tcp(client, server, 9090), udp(client, server, 8080)},
	},
	"a name that no container has allows nothing": {
		specs:  []string{`{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: nothing}]}]}`},
		denied: []packet{tcp(client, server, 8080), tcp(client, server, 80)},
	},
	"a named port at egress is that of each destination": {
		specs:  []string{`{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}], ports: [{port: web}]}]}`},
		passed: []packet{tcp(client, server, 8080), tcp(client, second, 9090)},
		denied: []packet{tcp(client, server, 9090), tcp(client, second, 8080), tcp(client, remote, 8080)},
	},
	"a named port at egress without peers means every pod that has it": {
		specs:  []string{`{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{ports: [{port: web}, {port: 443}]}]}`},
		passed: []packet{tcp(client, second, 9090), tcp(client, remote, 443)},
		denied: []packet{tcp(client, server, 9090), tcp(client, remote, 9090)},
	},
	"rules of several policies add up": {
		specs: []string{
			`{podSelector: {}, ingress: []}`,
			`{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: 80}]}]}`,
			`{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: 90}]}]}`,
		},
		passed: []packet{tcp(client, server, 80), tcp(client, server, 90)},
		denied: []packet{tcp(client, server, 100), tcp(server, client, 80)},
	},
	"egress of the source and ingress of the destination must both allow": {
		specs: []string{
			`{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{ports: [{port: 80}, {port: 81}]}]}`,
			`{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: 80}, {port: 82}]}]}`,
		},
		passed: []packet{tcp(client, server, 80)},
		denied: []packet{tcp(client, server, 81), tcp(client, server, 82)},
	},
	"the DNS server of the node counts as kube-dns, with port 53 only": {
		specs:  []string{`{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}]}]}`},
		passed: []packet{udp(client, node, 53), tcp(client, node, 53)},
		denied: []packet{tcp(client, node, 6443), udp(client, server, 53)},
	},
	"the DNS server is reached on the protocols that the rule names": {
		specs:  []string{`{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}], ports: [{protocol: UDP, port: 53}]}]}`},
		passed: []packet{udp(client, node, 53), udp(client, server, 53)},
		denied: []packet{tcp(client, node, 53)},
	},
	"the node's other ports are an address block": {
		specs:  []string{`{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.1/32}}], ports: [{port: 6443}]}]}`},
		passed: []packet{tcp(client, node, 6443)},
		denied: []packet{tcp(client, node, 10250), udp(client, node, 53)},
	},
}

func TestPoliciesLetPassWhatTheyAllowAndNothingElse(t *testing.T) {
	for name, want := range judgements {
		t.Run(name, func(t *testing.T) {
			var policies []*networking.NetworkPolicy
			for _, spec := range want.specs {
				policies = append(policies, policy(t, spec))
			}
			rules := Compute(config, world(policies...))
			for _, p := range want.passed {
				if !passes(t, rules, config.Pods, p) {
					t.Errorf("%+v is dropped", p)
				}
			}
			for _, p := range want.denied {
				if passes(t, rules, config.Pods, p) {
					t.Errorf("%+v passes", p)
				}
			}
		})
	}
}

func TestOnlyPodsWithAnAddressOfTheirOwnAreKnown(t *testing.T) {
	completed, failed, host, early := pod("a", "completed", "10.1.0.5", "x", 1), pod("a", "failed", "10.1.0.6", "x", 1),
		pod("a", "host", node, "x", 1), pod("a", "early", "", "x", 1)
	completed.Status.Phase, failed.Status.Phase, host.Spec.HostNetwork = v1.PodSucceeded, v1.PodFailed, true
	rules := Compute(config, State{Pods: []*v1.Pod{completed, failed, host, early}, Policies: []*networking.NetworkPolicy{policy(t, `{podSelector: {}}`)}})
	if len(rules.Known) != 0 || len(rules.Ingress) != 0 {
		t.Errorf("known: %v, isolated: %v", rules.Known, rules.Ingress)
	}
}

func TestTheAddressOfACompletedPodBelongsToItsNextUser(t *testing.T) {
	state := world(policy(t, `{podSelector: {matchLabels: {app: server}}}`))
	old := pod("a", "old", client, "server", 1) // would be isolated
	old.Status.Phase = v1.PodSucceeded
	state.Pods = append(state.Pods, old)
	if !passes(t, Compute(config, state), config.Pods, tcp(server, client, 80)) {
		t.Error("the completed pod's policy still applies to its address")
	}
}

func TestAnAssignedAddressWinsOverAStatus(t *testing.T) {
	state := world(policy(t, `{podSelector: {matchLabels: {app: server}}}`))
	fresh := pod("a", "fresh", "", "server", 1) // has taken over the client's address
	state.Pods = append(state.Pods, fresh)
	state.Addresses = map[string]netip.Addr{string(fresh.UID): netip.MustParseAddr(client)}
	if passes(t, Compute(config, state), config.Pods, tcp(server, client, 80)) {
		t.Error("the address is judged by the policies of the pod that had it before")
	}
}

func TestOfTwoPodsWithOneAddressTheYoungerHasIt(t *testing.T) {
	old, young := pod("a", "old", client, "client", 1), pod("a", "young", client, "server", 1)
	old.CreationTimestamp = metav1.NewTime(time.Unix(1000, 0))
	young.CreationTimestamp = metav1.NewTime(time.Unix(2000, 0))
	for _, pods := range [][]*v1.Pod{{old, young}, {young, old}} {
		rules := Compute(config, State{Pods: pods, Policies: []*networking.NetworkPolicy{policy(t, `{podSelector: {matchLabels: {app: server}}}`)}})
		if len(rules.Ingress) != 1 {
			t.Errorf("the older pod's labels count: %+v", rules)
		}
	}
}

func TestChangedLabelsChangeTheVerdict(t *testing.T) {
	state := world(policy(t, `{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]}`))
	if !passes(t, Compute(config, state), config.Pods, tcp(client, server, 80)) {
		t.Fatal("the client is denied before the change")
	}
	state.Pods[0].Labels["app"] = "stranger"
	if passes(t, Compute(config, state), config.Pods, tcp(client, server, 80)) {
		t.Error("the stranger passes")
	}
}

func TestTheOrderOfTheInputDoesNotMatter(t *testing.T) {
	specs := []string{
		`{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 80}, {port: 81}]}]}`,
		`{podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}]}, {ports: [{port: web}]}]}`,
	}
	forward := world(policy(t, specs[0]), policy(t, specs[1]))
	backward := world(policy(t, specs[1]), policy(t, specs[0]))
	slices.Reverse(backward.Pods)
	slices.Reverse(backward.Namespaces)
	if a, b := Compute(config, forward), Compute(config, backward); !reflect.DeepEqual(a, b) {
		t.Errorf("rules differ:\n%+v\n%+v", a, b)
	}
}

func TestPodsWithTheSameRulesShareAChain(t *testing.T) {
	rules := Compute(config, world(policy(t, `{podSelector: {}, ingress: [{ports: [{port: 80}]}]}`)))
	if len(rules.Ingress) != 2 || len(rules.Chains) != 1 {
		t.Errorf("isolated: %v, chains: %v", rules.Ingress, rules.Chains)
	}
}
