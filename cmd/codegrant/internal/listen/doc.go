// Package listen opens what commands listen on: addresses, Unix sockets, and sockets that
// systemd hands over. It serves on them where nothing more is asked than an end.
//
// It refuses to know what is served.
package listen
