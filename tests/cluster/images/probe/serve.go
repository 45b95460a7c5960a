package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// serve answers on every given port with the host name: to a line of HTTP with
// an HTTP answer, to any other line with that line behind the host name.
func serve(args []string) error {
	_, options, err := parse(args, 0, "tcp", "udp")
	if err != nil {
		return err
	}
	failed := make(chan error)
	for _, port := range ports(options["tcp"]) {
		listener, err := net.Listen("tcp", ":"+port)
		if err != nil {
			return err
		}
		go func() { failed <- serveTCP(listener) }()
	}
	for _, port := range ports(options["udp"]) {
		conn, err := net.ListenPacket("udp", ":"+port)
		if err != nil {
			return err
		}
		go func() { failed <- serveUDP(conn) }()
	}
	fmt.Println("serving")
	stop := stopSignal()
	select {
	case err := <-failed:
		return err
	case <-stop:
		return nil
	}
}

func ports(values []string) []string {
	var all []string
	for _, value := range values {
		all = append(all, strings.Split(value, ",")...)
	}
	return all
}

func stopSignal() chan os.Signal {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	return stop
}

func serveTCP(listener net.Listener) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go answer(conn)
	}
}

func answer(conn net.Conn) {
	defer conn.Close()
	host, _ := os.Hostname()
	reader := bufio.NewReader(conn)
	line, err := reader.ReadString('\n')
	if err == nil && strings.Contains(line, " HTTP/1.") {
		for err == nil && strings.TrimSpace(line) != "" { // the headers are not looked at
			line, err = reader.ReadString('\n')
		}
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s\n", len(host)+1, host)
		return
	}
	for err == nil {
		if _, err = fmt.Fprintf(conn, "%s %s", host, line); err == nil {
			line, err = reader.ReadString('\n')
		}
	}
}

func serveUDP(conn net.PacketConn) error {
	host, _ := os.Hostname()
	buffer := make([]byte, 2048)
	for {
		_, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return err
		}
		if _, err := conn.WriteTo([]byte(host+"\n"), from); err != nil {
			fmt.Fprintln(os.Stderr, "failed to answer", from, err)
		}
	}
}

func sleep(args []string) error {
	if _, _, err := parse(args, 0); err != nil {
		return err
	}
	<-stopSignal()
	return nil
}
