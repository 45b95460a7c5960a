//go:build cluster

package netpol

import (
	"fmt"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The policies are in namespace a, whose label is team=red; b has team=blue.
var connectivity = []struct{ name, policies, reach string }{
	{"no policy", ``, `
		a/client tcp a/server 8080 open
		b/client udp a/server 5353 open
		machine  tcp a/server 8080 open
		a/client tcp node 6443 open
		a/client udp node 53 open`},
	{"default deny of ingress", `{podSelector: {matchLabels: {app: server}}}`, `
		a/client tcp a/server 8080 timeout
		a/client udp a/server 5353 timeout
		machine  tcp a/server 8080 timeout
		a/host   tcp a/server 8080 open
		a/server tcp a/client 8080 open
		a/client tcp b/server 8080 open`},
	{"default deny of egress", `{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress]}`, `
		a/client tcp a/server 8080 timeout
		a/client tcp node 6443 timeout
		a/client udp node 53 timeout
		a/server tcp a/client 8080 open
		a/server tcp node 6443 open`},
	{"an empty rule allows all", `{podSelector: {}, ingress: [{}], egress: [{}], policyTypes: [Ingress, Egress]}`, `
		b/client tcp a/server 8080 open
		a/client udp node 53 open
		machine  tcp a/server 8080 open`},
	{"pods of the namespace", `{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]}`, `
		a/client tcp a/server 8080 open
		b/client tcp a/server 8080 timeout`},
	{"namespaces", `{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}]}`, `
		b/client tcp a/server 8080 open
		b/server tcp a/server 8080 open
		a/client tcp a/server 8080 timeout`},
	{"pods of namespaces", `{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}, podSelector: {matchLabels: {app: client}}}]}]}`, `
		b/client tcp a/server 8080 open
		b/server tcp a/server 8080 timeout
		a/client tcp a/server 8080 timeout`},
	{"an address block", `{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{ipBlock: {cidr: $machine/32}}]}]}`, `
		machine  tcp a/server 8080 open
		a/client tcp a/server 8080 timeout`},
	{"exceptions of an address block", `{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [$server/32]}}]}]}`, `
		a/client tcp b/server 8080 open
		a/client tcp node 6443 open
		a/client tcp a/server 8080 timeout`},
	{"IPv6 blocks beside others", `{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{ipBlock: {cidr: "::/0", except: ["fd00::/8"]}}, {podSelector: {matchLabels: {app: client}}}]}]}`, `
		a/client tcp a/server 8080 open
		b/client tcp a/server 8080 timeout`},
	{"a number, and SCTP beside it", `{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: 8081}, {protocol: SCTP, port: 7}]}]}`, `
		b/client tcp a/server 8081 open
		b/client tcp a/server 8080 timeout
		b/client udp a/server 5353 timeout`},
	{"a range", `{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: 8081, endPort: 8082}]}]}`, `
		a/client tcp a/server 8081 open
		a/client tcp a/server 8082 open
		a/client tcp a/server 8080 timeout`},
	{"a protocol", `{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{protocol: UDP}]}]}`, `
		a/client udp a/server 5353 open
		a/client tcp a/server 8080 timeout`},
	{"a name at ingress", `{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: web}]}]}`, `
		a/client tcp a/server 8080 open
		a/client tcp a/server 8081 timeout`},
	{"a name at egress", `{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}], ports: [{port: web}]}]}`, `
		a/client tcp a/server 8080 open
		a/client tcp a/server 8081 timeout
		a/client tcp b/server 8081 open
		a/client tcp b/server 8080 timeout`},
	{"egress and ingress must both allow", `{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{ports: [{port: 8080}, {port: 8081}]}]}
---
{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: 8080}, {port: 8082}]}]}`, `
		a/client tcp a/server 8080 open
		a/client tcp a/server 8081 timeout
		a/client tcp a/server 8082 timeout
		b/client tcp a/server 8082 open`},
	{"the DNS server as kube-dns", `{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{protocol: UDP, port: 53}]}]}`, `
		a/client udp node 53 open
		a/client tcp node 53 timeout
		a/client tcp node 6443 timeout
		a/client tcp a/server 8080 timeout`},
	{"the API server, by the node's address", `{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: $node/32}}], ports: [{port: 6443}]}]}`, `
		a/client tcp node 6443 open
		a/client tcp kubernetes 443 open
		a/client tcp node 10250 timeout
		a/client udp node 53 timeout`},
	{"a service is judged by the pods behind it", `{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: server}}}], ports: [{port: 8080}]}]}`, `
		a/client tcp service 80 open
		a/client tcp kubernetes 443 timeout`},
	{"pods in the node's namespace are not isolated", `{podSelector: {}, policyTypes: [Ingress, Egress]}`, `
		b/client tcp node 18080 open
		a/host   tcp a/server 8080 open
		a/host   tcp b/server 8080 open
		a/client tcp node 18080 timeout
		b/client tcp a/server 8080 timeout`},
}

func TestPods(t *testing.T) {
	l := startLab(t)
	l.addServices()
	for _, c := range connectivity {
		t.Run(c.name, func(t *testing.T) {
			l := l.in(t)
			if c.policies != "" {
				defer l.apply("a", strings.Split(c.policies, "---")...)()
			}
			l.expect(attempts(c.reach))
		})
	}
	t.Run("a connection survives the policy that would refuse it", func(t *testing.T) { l.in(t).established() })
	t.Run("changed labels of pods and namespaces count", func(t *testing.T) { l.in(t).changedLabels() })
	t.Run("the first packet of a new pod is judged by its policies", func(t *testing.T) { l.in(t).firstPacket() })
	t.Run("nothing leaves the cluster", func(t *testing.T) { l.in(t).border() })
}

// in is the same lab for a subtest.
func (l *lab) in(t *testing.T) *lab {
	inner := *l
	inner.t, inner.ctx = t, t.Context()
	return &inner
}

func (l *lab) addServices() {
	service, err := l.client.CoreV1().Services(l.spaces["a"]).Create(l.ctx, &v1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "server"},
		Spec: v1.ServiceSpec{
			Selector: map[string]string{"app": "server"},
			Ports:    []v1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
		},
	}, metav1.CreateOptions{})
	check(l.t, err)
	l.pods["service"] = service.Spec.ClusterIP
	api, err := l.client.CoreV1().Services("default").Get(l.ctx, "kubernetes", metav1.GetOptions{})
	check(l.t, err)
	l.pods["kubernetes"] = api.Spec.ClusterIP
}

func (l *lab) established() {
	l.create("a", podSpec("holder", "client", "hold", l.pods["a/server"]+":8080", "--for", "6s"))
	eventually(l.t, "the connection", func() error {
		if got := l.logs("a", "holder"); got != "connected" {
			return fmt.Errorf("the pod says %q", got)
		}
		return nil
	})
	defer l.apply("a", `{podSelector: {}, policyTypes: [Ingress, Egress]}`)()
	l.expect(attempts(`a/client tcp a/server 8080 timeout`))
	l.awaitPod("a", "holder", "has ended", ended)
	if got := l.logs("a", "holder"); !strings.Contains(got, "survived") {
		l.t.Errorf("the connection did not survive: %s", got)
	}
}

func (l *lab) changedLabels() {
	defer l.apply("a", `{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{podSelector: {matchLabels: {app: friend}}}]}]}`)()
	l.expect(attempts(`a/client tcp a/server 8080 timeout`))
	l.label("a", "client", "friend")
	l.expect(attempts(`a/client tcp a/server 8080 open`))
	l.label("a", "client", "client")
	l.expect(attempts(`a/client tcp a/server 8080 timeout`))
}

// firstPacket starts pods whose only act is one short dial, right away.
func (l *lab) firstPacket() {
	defer l.apply("a", `{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{podSelector: {matchLabels: {app: friend}}}]}]}`)()
	l.expect(attempts(`b/client tcp a/server 8080 timeout`))
	want := map[string]string{"friend": open, "stranger": timeout}
	for app := range want {
		l.create("a", podSpec(app, app, "dial", "tcp", l.pods["a/server"]+":8080", "--timeout", dialTimeout))
	}
	for app, outcome := range want {
		l.awaitPod("a", app, "has ended", ended)
		if got := l.logs("a", app); got != outcome {
			l.t.Errorf("the dial of %s ended with %q, want %q", app, got, outcome)
		}
	}
}

func (l *lab) logs(space, name string) string {
	l.t.Helper()
	text, err := l.client.CoreV1().Pods(l.spaces[space]).GetLogs(name, &v1.PodLogOptions{}).DoRaw(l.ctx)
	if err != nil {
		return err.Error() // the container may not have started yet
	}
	return strings.TrimSpace(string(text))
}

func (l *lab) border() {
	port := listenHere(l.t, l.pods["machine"])
	l.expect([]reach{
		{"machine", "tcp", "machine", port, open},
		{"a/client", "tcp", "machine", port, timeout},
	})
}
