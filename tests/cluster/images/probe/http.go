package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// request makes one HTTP request. Any answer is a success of the probe, also
// one with status 500; redirects are answers and are not followed.
func request(args []string) error {
	plain, options, err := parse(args, 1, "X", "H", "d", "timeout", "want", "ca")
	if err != nil {
		return err
	}
	timeout, err := duration(options, "timeout", 5*time.Second)
	if err != nil {
		return err
	}
	body := last(options, "d", "")
	method := last(options, "X", http.MethodGet)
	if body != "" && len(options["X"]) == 0 {
		method = http.MethodPost
	}
	req, err := http.NewRequest(method, plain[0], strings.NewReader(body))
	if err != nil {
		return usageError(err.Error())
	}
	for _, header := range options["H"] {
		name, value, ok := strings.Cut(header, ":")
		if !ok {
			return usageError("want a header as 'Name: value', not " + header)
		}
		if strings.EqualFold(name, "Host") {
			req.Host = strings.TrimSpace(value)
		}
		req.Header.Add(name, strings.TrimSpace(value))
	}
	transport, err := trusting(options["ca"])
	if err != nil {
		return err
	}
	client := http.Client{
		Timeout:       timeout,
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	if err != nil {
		return errors.New(outcome(err))
	}
	defer res.Body.Close()
	fmt.Println(res.StatusCode)
	for _, name := range options["want"] {
		fmt.Println(res.Header.Get(name))
	}
	_, err = io.Copy(os.Stdout, res.Body)
	return err
}

// trusting makes connections that believe these authorities and no others. The
// image has none of its own.
func trusting(bundles []string) (http.RoundTripper, error) {
	pool := x509.NewCertPool()
	for _, bundle := range bundles {
		if !pool.AppendCertsFromPEM([]byte(bundle)) {
			return nil, usageError("want certificates in PEM for --ca")
		}
	}
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, nil
}
