//go:build cluster

package netpol

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	v1 "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// Where a packet that is not allowed is dropped, the probe sees a timeout.
const (
	open    = "open"
	timeout = "timeout"
	// dialTimeout is far longer than a dial inside one machine takes.
	dialTimeout = "400ms"
)

// reach is one attempt: `a/client tcp a/server 8080` and how it must end. From
// "machine" the test itself dials.
type reach struct{ from, protocol, to, port, want string }

// attempts reads lines of FROM PROTOCOL TO PORT WANT.
func attempts(lines string) []reach {
	var all []reach
	for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		words := strings.Fields(line)
		all = append(all, reach{words[0], words[1], words[2], words[3], words[4]})
	}
	return all
}

func (l *lab) try(r reach) string {
	target := net.JoinHostPort(l.address(r.to), r.port)
	if r.from == "machine" {
		return dialHere(r.protocol, target)
	}
	return l.probe(r.from, "dial", r.protocol, target, "--timeout", dialTimeout)
}

// expect waits until every attempt ends as wanted and then tries all once
// more: an early success may still have been judged by the rules before.
func (l *lab) expect(all []reach) {
	l.t.Helper()
	each := func(do func(reach) error) error {
		failed := make([]error, len(all))
		var wait sync.WaitGroup
		for i, r := range all {
			wait.Go(func() { failed[i] = do(r) })
		}
		wait.Wait()
		var text []string
		for _, err := range failed {
			if err != nil {
				text = append(text, err.Error())
			}
		}
		if text != nil {
			return fmt.Errorf("%s", strings.Join(text, "\n"))
		}
		return nil
	}
	once := func(r reach) error {
		if got := l.try(r); got != r.want {
			return fmt.Errorf("%+v: got %s", r, got)
		}
		return nil
	}
	eventually(l.t, "connections", func() error { return each(once) })
	if err := each(once); err != nil {
		l.t.Errorf("ended as wanted once, and then not any more:\n%s", err)
	}
}

// apply creates policies in a namespace and returns what removes them.
func (l *lab) apply(space string, specs ...string) (remove func()) {
	l.t.Helper()
	policies := l.client.NetworkingV1().NetworkPolicies(l.spaces[space])
	for i, spec := range specs {
		policy := &networking.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("test-%d", i)}}
		check(l.t, yaml.UnmarshalStrict([]byte(l.fill(spec)), &policy.Spec))
		_, err := policies.Create(l.ctx, policy, metav1.CreateOptions{})
		check(l.t, err)
	}
	return func() {
		check(l.t, policies.DeleteCollection(l.ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	}
}

// fill puts addresses in the place of $server, $node and $machine.
func (l *lab) fill(spec string) string {
	return strings.NewReplacer(
		"$server", l.address("a/server"), "$second", l.address("b/server"), "$node", l.address("node"), "$machine", l.address("machine"),
	).Replace(spec)
}

func startLab(t *testing.T) *lab {
	l := newLab(t)
	serve := []string{"serve", "--tcp", "8080,8081,8082", "--udp", "5353"}
	for _, name := range []string{"a/client", "a/server", "b/client", "b/server"} {
		space, app, _ := strings.Cut(name, "/")
		pod := podSpec(app, app, serve...)
		web := int32(8080) // the same name is another number in the other namespace
		if space == "b" {
			web = 8081
		}
		pod.Spec.Containers[0].Ports = []v1.ContainerPort{{Name: "web", ContainerPort: web}}
		l.create(space, pod)
	}
	host := podSpec("host", "host", "serve", "--tcp", "18080")
	host.Spec.HostNetwork = true
	l.create("a", host)
	for _, name := range []string{"a/client", "a/server", "b/client", "b/server", "a/host"} {
		space, pod, _ := strings.Cut(name, "/")
		l.pods[name] = l.awaitPod(space, pod, "runs", running).Status.PodIP
	}
	l.pods["machine"] = localAddress(t, net.JoinHostPort(l.pods["a/server"], "8080"))
	return l
}

func (l *lab) label(space, name, app string) {
	l.t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"labels":{"app":%q}}}`, app)
	_, err := l.client.CoreV1().Pods(l.spaces[space]).Patch(l.ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	check(l.t, err)
}
