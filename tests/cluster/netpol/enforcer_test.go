package netpol

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	networking "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// recorder is a kernel that fails as often as it is told to.
type recorder struct {
	mutex    sync.Mutex
	failures int
	attempts int
	written  []Ruleset
}

func (r *recorder) write(_ context.Context, rules Ruleset) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.attempts++
	if r.failures > 0 {
		r.failures--
		return errors.New("no")
	}
	r.written = append(r.written, rules)
	return nil
}

func (r *recorder) last() (count int, rules Ruleset) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if len(r.written) == 0 {
		return 0, Ruleset{}
	}
	return len(r.written), r.written[len(r.written)-1]
}

// follow starts an enforcer for the world of the other tests.
func follow(t *testing.T, kernel *recorder) (*enforcer, *fake.Clientset) {
	t.Helper()
	state := world()
	client := fake.NewSimpleClientset(state.Namespaces[0], state.Namespaces[1], state.Pods[0], state.Pods[1])
	e, factory, err := newEnforcer(config, kernel, client)
	if err != nil {
		t.Fatal(err)
	}
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	go e.run(t.Context())
	return e, client
}

func await(t *testing.T, what string, satisfied func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !satisfied(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for", what)
		}
	}
}

func TestAFailedTransactionIsTriedAgain(t *testing.T) {
	kernel := &recorder{failures: 2}
	e, _ := follow(t, kernel)
	await(t, "the rules", e.ready.Load)
	if _, rules := kernel.last(); len(rules.Known) != 2 {
		t.Errorf("wrote %+v", rules)
	}
}

func TestAPolicyIsWrittenOnceAndChangesWithoutEffectAreNot(t *testing.T) {
	kernel := &recorder{}
	e, client := follow(t, kernel)
	await(t, "the first rules", e.ready.Load)
	deny := &networking.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "deny"}}
	if _, err := client.NetworkingV1().NetworkPolicies("a").Create(t.Context(), deny, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the policy", func() bool { _, rules := kernel.last(); return len(rules.Ingress) == 2 })
	count, _ := kernel.last()
	if err := e.sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again, _ := kernel.last(); again != count {
		t.Errorf("%d transactions, then %d without a change", count, again)
	}
}

func TestANewPodIsKnownWhenItsNoticeIsHandled(t *testing.T) {
	kernel := &recorder{}
	e, client := follow(t, kernel)
	fresh := pod("a", "fresh", "", "x", 1)
	if _, err := client.CoreV1().Pods("a").Create(t.Context(), fresh, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	n := notice{Command: "ADD", Namespace: "a", Pod: "fresh", UID: string(fresh.UID), Sandbox: "s1", Address: "10.1.0.50"}
	if err := e.handle(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if _, rules := kernel.last(); len(rules.Known) != 3 {
		t.Errorf("known: %v", rules.Known)
	}
	// The end of an older sandbox must not take the address of the newer one.
	if err := e.handle(t.Context(), notice{Command: "DEL", UID: string(fresh.UID), Sandbox: "s0"}); err != nil {
		t.Fatal(err)
	}
	if len(e.assigned) != 1 {
		t.Error("the address is forgotten")
	}
}
