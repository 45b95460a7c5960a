package main

import (
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
	plain, options, err := parse(args, 1, "X", "H", "d", "timeout")
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
	client := http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	if err != nil {
		return errors.New(outcome(err))
	}
	defer res.Body.Close()
	fmt.Println(res.StatusCode)
	_, err = io.Copy(os.Stdout, res.Body)
	return err
}
