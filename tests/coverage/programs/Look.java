// Looks at a tree in the ways that Java programs do.
import java.io.*;
import java.nio.channels.FileChannel;
import java.nio.file.*;
import java.nio.file.attribute.*;
import java.util.*;
import java.util.stream.*;
import java.util.zip.ZipFile;

public class Look {
    static Path root;

    static void show(Object... values) {
        System.out.println(Arrays.stream(values).map(v -> String.valueOf(v).replace(root.toString(), "ROOT"))
                .collect(Collectors.joining(" ")));
    }

    interface Question {
        Object ask() throws Exception;
    }

    static void attempt(String name, Question question) {
        try {
            show(name, question.ask());
        } catch (Exception error) {
            show(name, error);
        }
    }

    public static void main(String[] arguments) throws Exception {
        root = Path.of(arguments[0]);
        Path out = Path.of(arguments[1]);
        show(Files.readAllLines(root.resolve("lines")).size(), Files.readAllBytes(root.resolve("large")).length);
        try (Stream<Path> all = Files.walk(root)) {
            show(all.map(Path::toString).sorted().collect(Collectors.toList()));
        }
        show(Arrays.stream(new File(root.toString()).list()).sorted().collect(Collectors.toList()));
        for (String name : List.of("lines", "link", "dangling", "none", "folder", "lines/none")) {
            Path path = root.resolve(name);
            File file = path.toFile();
            show(name, file.exists(), file.isDirectory(), file.isFile(), file.canRead(), file.length(), file.isHidden());
            attempt(name, file::getCanonicalPath);
            attempt(name, () -> Files.exists(path));
            attempt(name, () -> Files.isReadable(path));
            attempt(name, () -> Files.readAttributes(path, PosixFileAttributes.class).permissions());
            attempt(name, () -> Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS).isSymbolicLink());
            attempt(name, () -> Files.readSymbolicLink(path));
            attempt(name, path::toRealPath);
            attempt(name, () -> Files.size(path));
            attempt(name, () -> new FileInputStream(file).read());
        }
        try (RandomAccessFile file = new RandomAccessFile(root.resolve("large").toFile(), "r")) {
            file.seek(1_900_000);
            show(file.readInt());
        }
        try (FileChannel channel = FileChannel.open(root.resolve("large"))) {
            show(channel.size(), channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size()).get(1_000_000));
        }
        Files.copy(root.resolve("large"), out.resolve("copy"));
        show(Files.size(out.resolve("copy")));
        try (ZipFile zip = new ZipFile(root.resolve("shop.zip").toFile())) {
            show(zip.size());
        }
        Properties prices = new Properties();
        try (Reader reader = new FileReader(root.resolve("shop.properties").toFile())) {
            prices.load(reader);
        }
        show(prices);
        try (DirectoryStream<Path> folder = Files.newDirectoryStream(root.resolve("folder"), "d*")) {
            for (Path each : folder) show(each);
        }
        Process cat = new ProcessBuilder("cat", "deep/file").directory(root.resolve("folder").toFile()).start();
        show(new String(cat.getInputStream().readAllBytes()), cat.waitFor());
    }
}
