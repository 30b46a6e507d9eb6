// Connects through NIO, Socket, HttpURLConnection, HttpClient and DatagramSocket. Run twice by test_outgoing.py.
import java.io.IOException;
import java.net.*;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.util.concurrent.Callable;

class Outgoing {
    static void tell(String label, Callable<Object> work) throws Exception {
        Object value;
        try {
            value = work.call();
        } catch (IOException error) {
            value = error.getClass().getSimpleName() + ": " + error.getMessage();
        }
        System.out.println(label + "\t" + value);
    }

    static String selected(String host, int port) throws IOException {
        try (Selector selector = Selector.open(); SocketChannel channel = SocketChannel.open()) {
            channel.configureBlocking(false);
            if (!channel.connect(new InetSocketAddress(host, port))) {
                channel.register(selector, SelectionKey.OP_CONNECT);
                selector.select(20_000);
                channel.finishConnect();
            }
            channel.configureBlocking(false);
            ByteBuffer buffer = ByteBuffer.wrap("through nio".getBytes());
            channel.write(buffer);
            ByteBuffer got = ByteBuffer.allocate(11);
            channel.keyFor(selector);
            channel.register(selector, SelectionKey.OP_READ);
            while (got.hasRemaining()) {
                selector.select(20_000);
                channel.read(got);
                selector.selectedKeys().clear();
            }
            return new String(got.array()) + " " + ((InetSocketAddress) channel.getRemoteAddress()).getHostString();
        }
    }

    static String blocking(String host, int port, int timeout) throws IOException {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(host, port), timeout);
            socket.getOutputStream().write("blocking".getBytes());
            return new String(socket.getInputStream().readNBytes(8)) + " " + socket.getLocalAddress().getHostAddress();
        }
    }

    static String datagram(String host) throws IOException {
        try (DatagramSocket socket = new DatagramSocket()) {
            socket.setSoTimeout(10_000);
            byte[] data = "datagram".getBytes();
            socket.send(new DatagramPacket(data, data.length, InetAddress.getByName(host), 7));
            DatagramPacket got = new DatagramPacket(new byte[100], 100);
            socket.receive(got);
            return new String(got.getData(), 0, got.getLength()) + " " + got.getSocketAddress();
        }
    }

    public static void main(String[] arguments) throws Exception {
        for (String host : new String[] {"10.77.0.1", "fd00:77::1", "db.shop.test", "127.0.0.1"}) {
            int port = host.startsWith("127") ? 6379 : 7;
            tell("nio " + host, () -> selected(host, port));
            tell("blocking " + host, () -> blocking(host, port, 0));
            tell("timeout " + host, () -> blocking(host, port, 10_000));
        }
        tell("nio refused", () -> selected("10.77.0.1", 1));
        tell("blocking refused", () -> blocking("10.77.0.1", 1, 0));
        tell("timeout refused", () -> blocking("10.77.0.1", 1, 5_000));
        tell("unreachable", () -> blocking("10.77.9.1", 7, 0));
        tell("time runs out", () -> blocking("10.77.8.1", 7, 200));
        URL url = new URL("http://four.shop.test:8080/orders");
        tell("HttpURLConnection", () -> new String(((HttpURLConnection) url.openConnection()).getInputStream().readAllBytes()).trim());
        HttpRequest request = HttpRequest.newBuilder(url.toURI()).build();
        tell("HttpClient", () -> HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body().trim());
        tell("datagram", () -> datagram("10.77.0.1"));
        tell("datagram six", () -> datagram("fd00:77::1"));
        System.exit(0);
    }
}
