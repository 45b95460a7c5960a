package netpol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"time"

	"k8s.io/klog/v2"
)

// podTimeout is how long a new pod may take to reach our informer, which the
// kubelet's may be ahead of.
const podTimeout = 3 * time.Second

// notice is what the CNI plugin policy-gate sends when a pod gets or loses its
// address. It waits until the connection is closed.
type notice struct {
	Command   string `json:"command"`
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	UID       string `json:"uid"`
	Sandbox   string `json:"sandbox"`
	Address   string `json:"address"`
}

func (e *enforcer) listen(ctx context.Context, path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("failed to listen for new pods: %w", err)
	}
	go func() { <-ctx.Done(); listener.Close() }()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go e.serve(ctx, conn)
		}
	}()
	return nil
}

func (e *enforcer) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	var n notice
	err := conn.SetReadDeadline(time.Now().Add(podTimeout))
	if err == nil {
		err = json.NewDecoder(conn).Decode(&n)
	}
	if err == nil {
		err = e.handle(ctx, n)
	}
	if err != nil {
		klog.FromContext(ctx).Error(err, "failed to handle a notice", "notice", n)
	}
}

func (e *enforcer) handle(ctx context.Context, n notice) error {
	if n.Command == "DEL" {
		e.release(n)
		e.wake()
		return nil
	}
	address, err := netip.ParseAddr(n.Address)
	if err != nil {
		return err
	}
	e.mutex.Lock()
	e.assigned[n.UID] = assignment{address, n.Sandbox}
	e.mutex.Unlock()
	if err := e.awaitPod(ctx, n); err != nil {
		return err
	}
	return e.sync(ctx)
}

// release forgets the address, unless a newer sandbox of the pod has replaced it.
func (e *enforcer) release(n notice) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.assigned[n.UID].sandbox == n.Sandbox {
		delete(e.assigned, n.UID)
	}
}

func (e *enforcer) awaitPod(ctx context.Context, n notice) error {
	ctx, cancel := context.WithTimeout(ctx, podTimeout)
	defer cancel()
	for {
		if pod, err := e.pods.Pods(n.Namespace).Get(n.Pod); err == nil && string(pod.UID) == n.UID {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the API server has not told of the pod %s/%s: %w", n.Namespace, n.Pod, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}
