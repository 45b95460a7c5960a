// probe is what test pods run: a server, and the client that tells a refused
// connection from one that is dropped. It has no dependency but the standard
// library, since it is copied into an image by itself.
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
)

// Exit codes: 1 is a negative answer (not open, not found, not written), 2 a
// wrong command line.
const (
	exitNegative = 1
	exitUsage    = 2
)

type command struct {
	usage string
	run   func(args []string) error
}

var commands = map[string]command{
	"serve":   {"serve --tcp 8080,8081 --udp 5353        answer every request with the host name", serve},
	"dial":    {"dial tcp|udp HOST:PORT [--timeout 2s]   print open, refused or timeout", dial},
	"http":    {"http [-X METHOD] [-H 'k: v'] [-d BODY] [--want HEADER] [--ca PEM] [--timeout 5s] URL   print the status code, the headers that are wanted, one a line, then the body", request},
	"resolve": {"resolve NAME                            print the addresses, one a line", resolve},
	"hold":    {"hold HOST:PORT [--for 20s]              keep a connection busy, print whether it survived", hold},
	"sleep":   {"sleep                                   do nothing until ended", sleep},
	"sum":     {"sum DIR                                 print SHA-256, mode and path of each file, and one sum of all", sum},
	"write":   {"write FILE BYTES                        write so many bytes and sync them", write},
	"cat":     {"cat FILE...                             print files", cat},
	"cp":      {"cp FROM TO                              copy a file", cp},
	"spoil":   {"spoil FILE NEAR WORD                    change a letter behind each WORD that follows NEAR in its page, print how many", spoil},
	"rm":      {"rm PATH...                              remove files and folders", rm},
}

// usageError is a mistake in the command line, not an answer.
type usageError string

func (e usageError) Error() string { return string(e) }

func main() {
	if len(os.Args) < 2 {
		usage()
		os.Exit(exitUsage)
	}
	name := os.Args[1]
	if name == "--help" || name == "-h" || name == "help" {
		usage()
		return
	}
	chosen, ok := commands[name]
	if !ok {
		usage()
		os.Exit(exitUsage)
	}
	err := chosen.run(os.Args[2:])
	if wrong, ok := err.(usageError); ok {
		fmt.Fprintf(os.Stderr, "probe %s: %s\nusage: probe %s\n", name, wrong, chosen.usage)
		os.Exit(exitUsage)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(exitNegative)
	}
}

func usage() {
	var lines []string
	for _, each := range commands {
		lines = append(lines, "  probe "+each.usage)
	}
	sort.Strings(lines)
	fmt.Fprintln(os.Stderr, "usage:\n"+strings.Join(lines, "\n"))
}
