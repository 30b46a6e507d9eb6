import java.net.ConnectException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/** Connects, sends a datagram and listens, with and without NIO: Talk HOST ECHO REFUSED. */
public class Talk {
    static void show(String what, String data, InetSocketAddress peer) {
        System.out.println(what + " " + data + " " + peer.getAddress().getHostAddress() + " " + peer.getPort());
    }

    static void plainly(InetSocketAddress echo, InetSocketAddress refused) throws Exception {
        for (int timeout = 0; timeout <= 20000; timeout += 20000) {
            try (Socket end = new Socket()) {
                end.connect(echo, timeout);
                end.getOutputStream().write("hello".getBytes());
                show("socket", new String(end.getInputStream().readNBytes(5)),
                        (InetSocketAddress) end.getRemoteSocketAddress());
            }
            try (Socket end = new Socket()) {
                end.connect(refused, timeout);
            } catch (ConnectException error) {
                System.out.println("socket " + error.getMessage());
            }
        }
        try (DatagramSocket end = new DatagramSocket()) {
            end.send(new DatagramPacket("hello".getBytes(), 5, echo));
            DatagramPacket got = new DatagramPacket(new byte[9], 9);
            end.receive(got);
            show("datagram", new String(got.getData(), 0, got.getLength()), (InetSocketAddress) got.getSocketAddress());
        }
    }

    static SocketChannel begin(Selector selector, InetSocketAddress to) throws Exception {
        SocketChannel end = SocketChannel.open();
        end.configureBlocking(false);
        if (!end.connect(to)) {
            end.register(selector, SelectionKey.OP_CONNECT);
            selector.select();
            selector.selectedKeys().clear();
        }
        return end;
    }

    static void selecting(InetSocketAddress echo, InetSocketAddress refused) throws Exception {
        try (Selector selector = Selector.open()) {
            SocketChannel end = begin(selector, echo);
            end.finishConnect();
            end.keyFor(selector).cancel();
            selector.selectNow();
            end.configureBlocking(true);
            end.write(ByteBuffer.wrap("hello".getBytes()));
            ByteBuffer got = ByteBuffer.allocate(5);
            while (got.hasRemaining()) {
                end.read(got);
            }
            show("nio", new String(got.array()), (InetSocketAddress) end.getRemoteAddress());
            end.close();
            try (SocketChannel other = begin(selector, refused)) {
                other.finishConnect();
            } catch (ConnectException error) {
                System.out.println("nio " + error.getMessage());
            }
        }
    }

    static void listening() throws Exception {
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), 0));
            System.out.println("listening " + ((InetSocketAddress) server.getLocalAddress()).getPort());
            try (SocketChannel end = server.accept()) {
                InetSocketAddress client = (InetSocketAddress) end.getRemoteAddress();
                System.out.println("client " + client.getAddress().getHostAddress() + " " + client.getPort());
                ByteBuffer got = ByteBuffer.allocate(5);
                while (got.hasRemaining()) {
                    end.read(got);
                }
                end.write(got.flip());
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        InetAddress host = InetAddress.getByName(arguments[0]);
        InetSocketAddress echo = new InetSocketAddress(host, Integer.parseInt(arguments[1]));
        InetSocketAddress refused = new InetSocketAddress(host, Integer.parseInt(arguments[2]));
        plainly(echo, refused);
        selecting(echo, refused);
        listening();
    }
}
