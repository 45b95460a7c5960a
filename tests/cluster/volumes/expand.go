package volumes

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

// expander gives claims that ask for more than they have what they ask for.
// The API server has already checked that the storage class allows it.
type expander struct {
	client  kubernetes.Interface
	store   store
	claims  corelisters.PersistentVolumeClaimLister
	volumes corelisters.PersistentVolumeLister
	queue   workqueue.TypedRateLimitingInterface[cache.ObjectName]
}

func newExpander(client kubernetes.Interface, store store, factory informers.SharedInformerFactory) (*expander, error) {
	claims := factory.Core().V1().PersistentVolumeClaims()
	e := &expander{
		client: client, store: store,
		claims: claims.Lister(), volumes: factory.Core().V1().PersistentVolumes().Lister(),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](100*time.Millisecond, 10*time.Second)),
	}
	enqueue := func(object any) {
		if name, err := cache.ObjectToName(object); err == nil {
			e.queue.Add(name)
		}
	}
	_, err := claims.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: enqueue, UpdateFunc: func(_, object any) { enqueue(object) },
	})
	return e, err
}

func (e *expander) run(ctx context.Context) {
	go func() { <-ctx.Done(); e.queue.ShutDown() }()
	for {
		name, stop := e.queue.Get()
		if stop {
			return
		}
		if err := e.reconcile(ctx, name); err != nil {
			klog.FromContext(ctx).Error(err, "failed to expand", "claim", name)
			e.queue.AddRateLimited(name)
		} else {
			e.queue.Forget(name)
		}
		e.queue.Done(name)
	}
}

func (e *expander) reconcile(ctx context.Context, name cache.ObjectName) error {
	claim, err := e.claims.PersistentVolumeClaims(name.Namespace).Get(name.Name)
	if err != nil || claim.Status.Phase != v1.ClaimBound {
		return nil // gone, or not bound yet: then its next change comes here again
	}
	wanted := claim.Spec.Resources.Requests[v1.ResourceStorage]
	has := claim.Status.Capacity[v1.ResourceStorage]
	if wanted.Cmp(has) <= 0 {
		return nil
	}
	volume, err := e.volumes.Get(claim.Spec.VolumeName)
	if err != nil {
		return err
	}
	if volume.Spec.HostPath == nil || e.store.kind(volume.Spec.HostPath.Path) == "" {
		return nil // not one of ours
	}
	if err := e.store.resize(volume.Spec.HostPath.Path, wanted.Value()); err != nil {
		return err
	}
	return e.record(ctx, claim, volume, wanted)
}

// record says what the volume has now: first on the volume, then on the claim,
// whose status is what users wait for.
func (e *expander) record(ctx context.Context, claim *v1.PersistentVolumeClaim, volume *v1.PersistentVolume, size resource.Quantity) error {
	capacity := map[string]any{"capacity": map[string]any{"storage": size.String()}}
	spec, err := json.Marshal(map[string]any{"spec": capacity})
	if err != nil {
		return err
	}
	if _, err := e.client.CoreV1().PersistentVolumes().Patch(ctx, volume.Name, types.MergePatchType, spec, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("failed to patch the volume %s: %w", volume.Name, err)
	}
	capacity["conditions"] = nil
	status, err := json.Marshal(map[string]any{"status": capacity})
	if err != nil {
		return err
	}
	_, err = e.client.CoreV1().PersistentVolumeClaims(claim.Namespace).
		Patch(ctx, claim.Name, types.MergePatchType, status, metav1.PatchOptions{}, "status")
	if err != nil {
		return fmt.Errorf("failed to patch the status of the claim: %w", err)
	}
	return nil
}

// remount mounts the sized volumes that are not mounted: their contents are
// gone after a restart of the machine, but their pods can start.
func (e *expander) remount() error {
	volumes, err := e.volumes.List(labels.Everything())
	if err != nil {
		return err
	}
	for _, volume := range volumes {
		if volume.Spec.HostPath == nil || e.store.kind(volume.Spec.HostPath.Path) != sizedKind {
			continue
		}
		size := volume.Spec.Capacity[v1.ResourceStorage]
		if err := makeOpen(volume.Spec.HostPath.Path); err != nil {
			return err
		}
		if err := mountSized(volume.Spec.HostPath.Path, size.Value()); err != nil {
			return err
		}
	}
	return nil
}
