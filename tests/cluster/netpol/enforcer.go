package netpol

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

const (
	// debounce gathers changes that come together, such as those of a rollout.
	debounce = 50 * time.Millisecond
	// A transaction that fails is tried again after this time, which doubles.
	firstRetry, lastRetry = 100 * time.Millisecond, 10 * time.Second
)

// writer is the part of kernel that the enforcer uses.
type writer interface {
	write(ctx context.Context, rules Ruleset) error
}

// enforcer keeps the kernel equal to what the API server says.
type enforcer struct {
	config     Config
	kernel     writer
	pods       corelisters.PodLister
	namespaces corelisters.NamespaceLister
	policies   networkinglisters.NetworkPolicyLister

	changed chan struct{}
	ready   atomic.Bool

	mutex     sync.Mutex // guards what follows and the order of writes
	assigned  map[string]assignment
	last      Ruleset
	isWritten bool
}

// assignment is an address that a sandbox of a pod got on this node.
type assignment struct {
	address netip.Addr
	sandbox string
}

func newEnforcer(config Config, kernel writer, client kubernetes.Interface) (*enforcer, informers.SharedInformerFactory, error) {
	factory := informers.NewSharedInformerFactory(client, 0)
	pods, namespaces := factory.Core().V1().Pods(), factory.Core().V1().Namespaces()
	policies := factory.Networking().V1().NetworkPolicies()
	e := &enforcer{
		config: config, kernel: kernel,
		pods: pods.Lister(), namespaces: namespaces.Lister(), policies: policies.Lister(),
		changed: make(chan struct{}, 1), assigned: map[string]assignment{},
	}
	for _, informer := range []cache.SharedIndexInformer{pods.Informer(), namespaces.Informer(), policies.Informer()} {
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { e.wake() }, UpdateFunc: func(any, any) { e.wake() }, DeleteFunc: e.deleted,
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return e, factory, nil
}

func (e *enforcer) wake() {
	select {
	case e.changed <- struct{}{}:
	default: // the loop will look at everything anyway
	}
}

func (e *enforcer) deleted(object any) {
	if stale, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = stale.Obj
	}
	if pod, ok := object.(*v1.Pod); ok {
		e.mutex.Lock()
		delete(e.assigned, string(pod.UID))
		e.mutex.Unlock()
	}
	e.wake()
}

// run follows the changes until ctx ends. The rules stay in the kernel then:
// pods are not left unprotected while the enforcer is replaced.
func (e *enforcer) run(ctx context.Context) {
	e.wake()
	retry := firstRetry
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.changed:
		}
		pause := debounce
		if err := e.sync(ctx); err != nil {
			klog.FromContext(ctx).Error(err, "failed to write the rules, trying again", "after", retry)
			pause, retry = retry, min(2*retry, lastRetry)
			e.wake()
		} else {
			retry = firstRetry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// sync writes the rules for what is known now, if they differ from the last ones.
func (e *enforcer) sync(ctx context.Context) error {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	state, err := e.state()
	if err != nil {
		return err
	}
	rules := Compute(e.config, state)
	if e.isWritten && reflect.DeepEqual(rules, e.last) {
		return nil
	}
	e.isWritten = false // after a failure the kernel may hold anything
	if err := e.kernel.write(ctx, rules); err != nil {
		return fmt.Errorf("failed to run the nftables transaction: %w", err)
	}
	e.last, e.isWritten = rules, true
	e.ready.Store(true)
	klog.FromContext(ctx).Info("rules written", "pods", len(rules.Known), "chains", len(rules.Chains))
	return nil
}

func (e *enforcer) state() (State, error) {
	pods, err := e.pods.List(labels.Everything())
	if err != nil {
		return State{}, err
	}
	namespaces, err := e.namespaces.List(labels.Everything())
	if err != nil {
		return State{}, err
	}
	policies, err := e.policies.List(labels.Everything())
	if err != nil {
		return State{}, err
	}
	addresses := map[string]netip.Addr{}
	for uid, assigned := range e.assigned {
		addresses[uid] = assigned.address
	}
	return State{pods, namespaces, policies, addresses}, nil
}
