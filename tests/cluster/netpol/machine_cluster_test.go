//go:build cluster

package netpol

import (
	"errors"
	"net"
	"testing"
	"time"
)

// dialHere dials from this machine, which is outside the cluster.
func dialHere(protocol, target string) string {
	conn, err := net.DialTimeout(protocol, target, 400*time.Millisecond)
	var failed net.Error
	if errors.As(err, &failed) && failed.Timeout() {
		return timeout
	}
	if err != nil {
		return err.Error()
	}
	conn.Close()
	return open
}

// localAddress is the address that this machine has towards the cluster.
func localAddress(t *testing.T, target string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", target, patience)
	check(t, err)
	defer conn.Close()
	return conn.LocalAddr().(*net.TCPAddr).IP.String()
}

// listenHere accepts connections on this machine, for pods that try to leave.
func listenHere(t *testing.T, address string) (port string) {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	check(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	_, port, err = net.SplitHostPort(listener.Addr().String())
	check(t, err)
	return port
}
