// HTTP on two ports, from Java: a ServerSocket and a ServerSocketChannel with a selector. Serve PORT PORT.
import java.io.*;
import java.net.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;

class Serve {
    static byte[] answer(SocketAddress peer, SocketAddress local) {
        InetSocketAddress from = (InetSocketAddress) peer, at = (InetSocketAddress) local;
        String body = "program, to " + from.getAddress().getHostAddress() + ", at " + at.getAddress().getHostAddress() + " " + at.getPort() + "\n";
        return ("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + body.length() + "\r\n\r\n" + body).getBytes();
    }

    static void blocking(ServerSocket server) {
        try {
            while (true) {
                try (Socket socket = server.accept()) {
                    BufferedReader reader = new BufferedReader(new InputStreamReader(socket.getInputStream()));
                    for (String line; (line = reader.readLine()) != null && !line.isEmpty(); ) {}
                    socket.getOutputStream().write(answer(socket.getRemoteSocketAddress(), socket.getLocalSocketAddress()));
                }
            }
        } catch (IOException error) {
            error.printStackTrace();
        }
    }

    static void selected(ServerSocketChannel server) {
        try (Selector selector = Selector.open()) {
            server.configureBlocking(false);
            server.register(selector, SelectionKey.OP_ACCEPT);
            while (true) {
                selector.select();
                for (SelectionKey key : selector.selectedKeys()) {
                    if (key.isAcceptable()) {
                        SocketChannel channel = server.accept();
                        if (channel == null) continue;
                        channel.configureBlocking(false);
                        channel.register(selector, SelectionKey.OP_READ);
                    } else {
                        SocketChannel channel = (SocketChannel) key.channel();
                        channel.read(ByteBuffer.allocate(65536));
                        channel.write(ByteBuffer.wrap(answer(channel.getRemoteAddress(), channel.getLocalAddress())));
                        channel.close();
                    }
                }
                selector.selectedKeys().clear();
            }
        } catch (IOException error) {
            error.printStackTrace();
        }
    }

    public static void main(String[] arguments) throws Exception {
        ServerSocket first = new ServerSocket(Integer.parseInt(arguments[0]));
        ServerSocketChannel second = ServerSocketChannel.open().bind(new InetSocketAddress(Integer.parseInt(arguments[1])));
        for (Runnable work : new Runnable[] {() -> blocking(first), () -> selected(second)}) {
            Thread thread = new Thread(work);
            thread.setDaemon(true);
            thread.start();
        }
        System.out.println("listening");
        while (System.in.read() >= 0) {}
        System.exit(0);
    }
}
