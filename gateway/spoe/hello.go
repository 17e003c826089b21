package spoe

import (
	"slices"
	"strings"
)

// hello is what HAProxy says when it connects.
type hello struct {
	frameSize   int
	pipelining  bool
	healthCheck bool
}

// version is that of the protocol that is spoken here.
const version = "2.0"

// parseHello reads a HELLO and what both sides can do.
func parseHello(f *frame) (hello, error) {
	var h hello
	if f.kind != frameHello || f.stream != 0 || f.id != 0 {
		return h, protocolFault(codeInvalid, "it does not begin with a HELLO, but a frame of type %d", f.kind)
	}
	items, err := parseItems(f.payload)
	if err != nil {
		return h, err
	}
	versions, ok := items["supported-versions"]
	if !ok || versions.kind != typeString {
		return h, protocolFault(codeNoVersion, "HELLO has no supported-versions")
	}
	if !slices.ContainsFunc(list(versions), func(v string) bool { return v == "2" || strings.HasPrefix(v, "2.") }) {
		return h, protocolFault(codeBadVersion, "HAProxy speaks versions %.32q, and not %s", versions.bytes, version)
	}
	size, ok := items["max-frame-size"]
	if !ok || size.kind != typeUint32 {
		return h, protocolFault(codeNoFrameSize, "HELLO has no max-frame-size")
	}
	if size.number < minFrame || size.number > 1<<31 {
		return h, protocolFault(codeBadSize, "a max-frame-size of %d is not valid", size.number)
	}
	capabilities, ok := items["capabilities"]
	if !ok || capabilities.kind != typeString {
		return h, protocolFault(codeNoCaps, "HELLO has no capabilities")
	}
	check := items["healthcheck"]
	h.frameSize = int(size.number)
	h.pipelining = slices.Contains(list(capabilities), "pipelining")
	h.healthCheck = check.kind == typeBool && check.number == 1
	return h, nil
}

func list(v value) []string {
	items := strings.Split(string(v.bytes), ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

// parseItems reads a list of keys and values, each key once.
func parseItems(in input) (map[string]value, error) {
	items := make(map[string]value)
	for len(in) > 0 {
		name, err := in.name()
		if err != nil {
			return nil, err
		}
		v, err := in.value()
		if err != nil {
			return nil, err
		}
		if _, twice := items[name]; twice || len(items) == largestKV {
			return nil, protocolFault(codeInvalid, "an item %.64q is there twice, or one too many", name)
		}
		items[name] = v
	}
	return items, nil
}

// agentHello answers a HELLO.
func agentHello(frameSize int, pipelining bool) []byte {
	capabilities := ""
	if pipelining {
		capabilities = "pipelining"
	}
	out := newOutput(frameAgentHello, 0, 0)
	out.item("version", version)
	out.item("max-frame-size", uint32(frameSize))
	out.item("capabilities", capabilities)
	return out.sealed()
}

// agentDisconnect is the last frame of a connection.
func agentDisconnect(c code, message string) []byte {
	out := newOutput(frameAgentDisconnect, 0, 0)
	out.item("status-code", uint32(c))
	out.item("message", message)
	return out.sealed()
}
