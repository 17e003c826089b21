package localpool

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// decodeSeed reads YAML into a seed. YAML has types of its own: without quotes, 007,
// +15550100 and 1.10 are numbers, which a decoder would write down as others. Where the
// seed has a text, it is the text of the file.
func decodeSeed(b []byte, seed *Seed) (err error) {
	defer func() {
		// The decoder is not ours, and a file that it stumbles over is a wrong file.
		if p := recover(); p != nil {
			err = errors.New("it cannot be read as YAML")
		}
	}()
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return err
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil
	}
	r := texts{anchors: make(map[string]*ast.AnchorNode)}
	body, err := r.read(file.Docs[0].Body, reflect.TypeFor[Seed]())
	if err != nil {
		return err
	}
	return yaml.NodeToValue(body, seed, yaml.Strict())
}

// texts reads the texts of a file as they are written.
type texts struct {
	anchors map[string]*ast.AnchorNode
	nodes   int
}

const maxSeedNodes = 1 << 20 // aliases of aliases are visited as often as they stand

// read returns a node in whose texts no number is left.
func (r *texts) read(node ast.Node, t reflect.Type) (ast.Node, error) {
	if r.nodes++; r.nodes > maxSeedNodes {
		return nil, errors.New("it has too many parts, or refers to itself")
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.String {
		node = unsplit(node)
	}
	switch n := node.(type) {
	case *ast.AnchorNode:
		value, err := r.read(n.Value, t)
		if err != nil {
			return nil, err
		}
		n.Value = value
		r.anchors[n.Name.GetToken().Value] = n // not before: it cannot refer to itself
		return n, nil
	case *ast.AliasNode:
		anchor, ok := r.anchors[n.Value.GetToken().Value]
		if !ok {
			return n, nil // the decoder says so
		}
		value, err := r.read(anchor.Value, t)
		if err != nil {
			return nil, err
		}
		anchor.Value = value
		return n, nil
	case *ast.MappingNode:
		for _, v := range n.Values {
			if err := r.pair(v, t); err != nil {
				return nil, err
			}
		}
		return n, nil
	case *ast.MappingValueNode:
		return n, r.pair(n, t)
	case *ast.SequenceNode:
		for i, v := range n.Values {
			if v == nil || t.Kind() != reflect.Slice {
				continue
			}
			value, err := r.read(v, t.Elem())
			if err != nil {
				return nil, err
			}
			n.Values[i] = value
		}
		return n, nil
	}
	if t.Kind() != reflect.String {
		return node, nil
	}
	return asWritten(node)
}

// pair reads a key and its value.
func (r *texts) pair(n *ast.MappingValueNode, t reflect.Type) (err error) {
	if _, merge := n.Key.(*ast.MergeKeyNode); merge {
		n.Value, err = r.read(n.Value, t)
		return err
	}
	switch t.Kind() {
	case reflect.Struct:
		for f := range t.Fields() {
			if f.Tag.Get("yaml") == n.Key.GetToken().Value {
				n.Value, err = r.read(n.Value, f.Type)
			}
		}
	case reflect.Map:
		key, err := asWritten(n.Key)
		if err != nil {
			return err
		}
		n.Key = key.(ast.MapKeyNode)
		n.Value, err = r.read(n.Value, t.Elem())
		return err
	}
	return err
}

// unsplit is the text of a URL with a port that stands without quotes in a list within
// braces: the parser takes the colon before the port for that of a key and its value,
// though no space follows it (YAML 1.2, section 7.3.3).
func unsplit(node ast.Node) ast.Node {
	pair, ok := node.(*ast.MappingValueNode)
	if m, mapping := node.(*ast.MappingNode); mapping && len(m.Values) == 1 {
		pair, ok = m.Values[0], true
	}
	if !ok || pair.Value == nil {
		return node
	}
	key, colon, value := pair.Key.GetToken(), pair.Start, pair.Value.GetToken()
	if !strings.Contains(key.Value, "://") || colon.Position.Line != value.Position.Line || value.Position.Column != colon.Position.Column+1 {
		return node
	}
	whole := key.Value + ":" + value.Value
	return ast.String(token.String(whole, whole, key.Position))
}

// asWritten returns the node of the same text. What stands for nothing, or for another
// text than its own, is refused.
func asWritten(node ast.Node) (ast.Node, error) {
	at := node.GetToken()
	switch node.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return ast.String(token.String(at.Value, at.Origin, at.Position)), nil
	case *ast.NullNode:
		if at.Type != token.ImplicitNullType {
			return nil, fmt.Errorf("[%d:%d] %s stands for nothing: quote it, or leave it out", at.Position.Line, at.Position.Column, strings.TrimSpace(at.Value))
		}
	case *ast.TagNode:
		return nil, fmt.Errorf("[%d:%d] a tag has no meaning here: quote the text", at.Position.Line, at.Position.Column)
	}
	return node, nil
}
