package serve

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// refuseNew has the kernel drop what begins a connection, and nothing else: whose
// connection has begun is let in.
func refuseNew(l net.Listener) {
	const flags, syn, ack = 13, 0x02, 0x10 // of TCP's header
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: flags},
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: syn | ack},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: syn, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
	}
	if _, ok := l.(*net.TCPListener); !ok {
		return
	}
	onSocket(l, func(fd int) {
		// Where it is not allowed, the time in which one may be lost is a little longer.
		_ = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
	})
}

// waiting is how many wait to be let in.
func waiting(l net.Listener) (n uint32) {
	onSocket(l, func(fd int) {
		if info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n = info.Unacked
		}
	})
	return n
}

// nothingToRead reports whether nothing has come that was not read.
func nothingToRead(c net.Conn) bool {
	nothing := true
	onSocket(c, func(fd int) {
		var b [1]byte
		n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		nothing = err != nil || n == 0
	})
	return nothing
}

// onSocket calls a function with the descriptor of a socket.
func onSocket(socket any, do func(fd int)) {
	s, ok := socket.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := s.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { do(int(fd)) })
	}
}

// openFiles is how many files may be open.
func openFiles() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return usualFiles
	}
	return int(min(limit.Cur, 10_000_000))
}
