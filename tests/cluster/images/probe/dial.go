package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// dial prints how an attempt to reach the address ends. UDP has no handshake:
// there the port is open when it answers.
func dial(args []string) error {
	plain, options, err := parse(args, 2, "timeout")
	if err != nil {
		return err
	}
	timeout, err := duration(options, "timeout", 2*time.Second)
	if err != nil {
		return err
	}
	if plain[0] != "tcp" && plain[0] != "udp" {
		return usageError("want tcp or udp, not " + plain[0])
	}
	if err := attempt(plain[0], plain[1], timeout); err != nil {
		return errors.New(outcome(err))
	}
	fmt.Println("open")
	return nil
}

// query is what UDP ports are sent: a DNS question for the name servers of the
// root. Our own server answers anything, and a DNS server only a question.
var query = []byte{0x75, 0x65, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1}

func attempt(network, address string, timeout time.Duration) error {
	conn, err := net.DialTimeout(network, address, timeout)
	if err != nil || network == "tcp" {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if _, err := conn.Write(query); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 2048))
	return err
}

// outcome names the ends that a test tells apart.
func outcome(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return "error: " + err.Error()
}

func resolve(args []string) error {
	plain, options, err := parse(args, 1, "timeout")
	if err != nil {
		return err
	}
	timeout, err := duration(options, "timeout", 5*time.Second)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, plain[0])
	if err != nil {
		return err
	}
	for _, address := range addresses {
		fmt.Println(address)
	}
	return nil
}

// hold sends a line each second over one connection and wants each back.
func hold(args []string) error {
	plain, options, err := parse(args, 1, "for")
	if err != nil {
		return err
	}
	length, err := duration(options, "for", 20*time.Second)
	if err != nil {
		return err
	}
	conn, err := net.DialTimeout("tcp", plain[0], 5*time.Second)
	if err != nil {
		return errors.New(outcome(err))
	}
	defer conn.Close()
	fmt.Println("connected")
	reader := bufio.NewReader(conn)
	started := time.Now()
	for count := 1; time.Since(started) < length; count++ {
		if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(conn, "%d\n", count); err != nil {
			return fmt.Errorf("lost after %s: %s", time.Since(started).Round(time.Millisecond), outcome(err))
		}
		if _, err := reader.ReadString('\n'); err != nil {
			return fmt.Errorf("lost after %s: %s", time.Since(started).Round(time.Millisecond), outcome(err))
		}
		time.Sleep(time.Second)
	}
	fmt.Println("survived", length)
	return nil
}
