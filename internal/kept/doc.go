// Package kept owns what it takes to keep a response instead of sending it, for those
// who bring it to a proxy in other words. It refuses to know any proxy.
package kept
