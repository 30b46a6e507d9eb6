// Resolves through the Java library. Run by test_names.py.
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;

class Names {
    public static void main(String[] arguments) throws Exception {
        for (String name : new String[] {"db.shop.test", "db", "gw", "six", "four", "nothing", "10.77.0.1"}) {
            try {
                System.out.println(name + " " + Arrays.toString(InetAddress.getAllByName(name)));
            } catch (UnknownHostException error) {
                System.out.println(name + " UnknownHostException");
            }
        }
        System.out.println(InetAddress.getByAddress(new byte[] {10, 77, 0, 1}).getCanonicalHostName());
        System.out.println(InetAddress.getLocalHost().getHostName());
    }
}
