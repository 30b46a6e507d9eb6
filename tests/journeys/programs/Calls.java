// Looks at files in the ways of Java programs: streams, channels, NIO walks, mapped buffers, a child.
// Prints an answer a line; run under mirrord, and plainly with ROOT leading into the target's root.
import java.io.*;
import java.nio.*;
import java.nio.channels.FileChannel;
import java.nio.file.*;
import java.nio.file.attribute.*;
import java.security.MessageDigest;
import java.util.*;
import java.util.stream.*;

public class Calls {
	interface Question { Object ask() throws Exception; }

	static void tell(String name, Question question) {
		Object answer;
		try {
			answer = question.ask();
		} catch (Exception error) {
			answer = error.getClass().getSimpleName();
		}
		System.out.println(name + "\t" + answer);
	}

	static String digest(byte[] data) throws Exception {
		return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(data));
	}

	static List<String> names(Stream<Path> paths, Path base) {
		return paths.map(path -> base.relativize(path).toString()).sorted().collect(Collectors.toList());
	}

	public static void main(String[] arguments) {
		Path root = Path.of(System.getenv().getOrDefault("ROOT", "") + "/srv/shop");
		tell("variable", () -> System.getenv("SHOP_NAME") != null || System.getenv("ROOT") != null);
		tell("readString", () -> Files.readString(root.resolve("config.json")));
		tell("readAllBytes", () -> digest(Files.readAllBytes(root.resolve("large.bin"))));
		tell("FileInputStream", () -> digest(new FileInputStream(root.resolve("middle.bin").toFile()).readAllBytes()));
		tell("RandomAccessFile", () -> {
			try (RandomAccessFile file = new RandomAccessFile(root.resolve("large.bin").toFile(), "r")) {
				file.seek(5_000_000);
				return file.readInt() + " " + file.length();
			}
		});
		tell("mapped", () -> {
			try (FileChannel channel = FileChannel.open(root.resolve("large.bin"))) {
				MappedByteBuffer buffer = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
				return buffer.getInt(5_999_996);
			}
		});
		tell("list", () -> names(Files.list(root.resolve("orders")), root));
		tell("walk", () -> names(Files.walk(root), root).size());
		tell("File.list", () -> Arrays.stream(root.toFile().list()).sorted().collect(Collectors.joining(" ")));
		tell("attributes", () -> {
			PosixFileAttributes seen = Files.readAttributes(root.resolve("config.json"), PosixFileAttributes.class);
			return seen.size() + " " + seen.lastModifiedTime() + " " + PosixFilePermissions.toString(seen.permissions());
		});
		tell("link", () -> Files.readSymbolicLink(root.resolve("current")));
		tell("isSymbolicLink", () -> Files.isSymbolicLink(root.resolve("current")));
		tell("exists", () -> Files.exists(root.resolve("empty")) + " " + Files.exists(root.resolve("nothing")));
		tell("canRead", () -> root.resolve("config.json").toFile().canRead());
		tell("nothing", () -> Files.readString(root.resolve("nothing")));
		tell("loop", () -> Files.readString(root.resolve("loop")));
		tell("copy", () -> {
			Path copy = Files.createTempFile("calls", "");
			Files.copy(root.resolve("middle.bin"), copy, StandardCopyOption.REPLACE_EXISTING);
			String answer = digest(Files.readAllBytes(copy));
			Files.delete(copy);
			return answer;
		});
		tell("process", () -> new String(new ProcessBuilder("cat", root.resolve("tree/a/side.txt").toString()).start().getInputStream().readAllBytes()).trim());
	}
}
