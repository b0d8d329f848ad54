# Owns hearing what systemd would hear at its socket: takes datagrams with what they carry, and prints each as a line.
import array, json, os, socket, sys
name = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind('\0' + name[1:] if name[0] == '@' else name)
if name[0] != '@': os.chmod(name, 0o777)
print(json.dumps('bound'), flush=True)
while True:
    data, ancillary, _, _ = s.recvmsg(4096, 1024)
    for level, kind, fds in ancillary:
        if kind == socket.SCM_RIGHTS:
            got = array.array('i'); got.frombytes(fds[:len(fds) - len(fds) % 4])
            for fd in got: os.close(fd)
    print(json.dumps(data.decode()), flush=True)
