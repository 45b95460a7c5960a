package parts

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"userengine.dev/testcluster/layout"
)

// Check is how to ask a part whether it is ready: on a socket that accepts
// connections, or at a URL of the node that answers 200.
type Check struct {
	Socket func(layout.Cluster) string
	scheme string
	port   int
	path   string
}

func httpCheck(port int, path string) Check  { return Check{scheme: "http", port: port, path: path} }
func httpsCheck(port int, path string) Check { return Check{scheme: "https", port: port, path: path} }

// attemptTimeout bounds one question, not the wait for readiness.
const attemptTimeout = 2 * time.Second

// Some parts make themselves a certificate when they start; that they answer
// at all is what is asked here, and the address is inside our own namespace.
var client = &http.Client{
	Timeout:   attemptTimeout,
	Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
}

// Ask returns nil when the part is ready, or what it said instead.
func (k Check) Ask(ctx context.Context, c layout.Cluster) error {
	if k.Socket != nil {
		conn, err := (&net.Dialer{Timeout: attemptTimeout}).DialContext(ctx, "unix", k.Socket(c))
		if err != nil {
			return err
		}
		return conn.Close()
	}
	url := fmt.Sprintf("%s://%s:%d%s", k.scheme, c.Node(), k.port, k.path)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, 2000))
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %s", url, answer.Status, strings.TrimSpace(string(body)))
	}
	return nil
}
