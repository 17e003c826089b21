// Package standin stands in for Amazon's hosts of Cognito on this machine, so that
// clients which know no other reach a local pool unchanged.
//
// It owns an HTTPS proxy on a loopback address, a certificate authority that is
// constrained by name to those hosts, and the settings that have one command use both.
// It refuses to listen where other machines reach it, to install its authority
// anywhere, and to pass on to any other host that it was not told of. It leans on
// localpool, which answers.
package standin
