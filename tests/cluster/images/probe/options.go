package main

import (
	"strings"
	"time"
)

// parse splits args into positions and options. Unlike the flag package it
// takes options after positions too: `dial tcp HOST:PORT --timeout 2s`.
// Every option has a value; known says which options there are.
func parse(args []string, positions int, known ...string) ([]string, map[string][]string, error) {
	var plain []string
	options := map[string][]string{}
	for i := 0; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "-") || args[i] == "-" {
			plain = append(plain, args[i])
			continue
		}
		name, value, hasValue := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		if !contains(known, name) {
			return nil, nil, usageError("unknown option " + args[i])
		}
		if !hasValue {
			i++
			if i == len(args) {
				return nil, nil, usageError("option --" + name + " needs a value")
			}
			value = args[i]
		}
		options[name] = append(options[name], value)
	}
	if positions >= 0 && len(plain) != positions {
		return nil, nil, usageError("wrong number of arguments")
	}
	return plain, options, nil
}

func contains(all []string, one string) bool {
	for _, each := range all {
		if each == one {
			return true
		}
	}
	return false
}

func last(options map[string][]string, name, otherwise string) string {
	if values := options[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return otherwise
}

func duration(options map[string][]string, name string, otherwise time.Duration) (time.Duration, error) {
	text := last(options, name, "")
	if text == "" {
		return otherwise, nil
	}
	value, err := time.ParseDuration(text)
	if err != nil {
		return 0, usageError(err.Error())
	}
	return value, nil
}
