package org.apache.curator.test;

import java.io.File;
import java.io.FileOutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import java.util.concurrent.TimeUnit;

/** What Curator's tests start as a server: a process of ours, with the settings and system properties they give. */
public class ZooKeeperServerEmbeddedAdapter implements ZooKeeperMainFace {
    private static final long PATIENCE_MS = 30_000;
    private volatile Process process;
    private volatile int clientPort;

    @Override
    public void start(QuorumPeerConfigBuilder builder) {
        try {
            startProcess(builder);
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private void startProcess(QuorumPeerConfigBuilder builder) throws Exception {
        Properties properties = builder.buildProperties();
        clientPort = Integer.parseInt(properties.getProperty("clientPort"));
        if (clientPort == 0) {
            clientPort = InstanceSpec.getRandomPort();
            properties.setProperty("clientPort", Integer.toString(clientPort));
        }
        properties.setProperty("admin.enableServer", "false");
        properties.setProperty("4lw.commands.whitelist", "*");
        File config = new File(properties.getProperty("dataDir"), "zoo.cfg");
        config.getParentFile().mkdirs();
        if (!config.exists()) {
            try (FileOutputStream out = new FileOutputStream(config)) {
                properties.store(out, null);
            }
        }
        ProcessBuilder command = new ProcessBuilder(System.getProperty("server.start"), config.getPath());
        command.environment().put("SERVER_JVMFLAGS", flags());
        command.redirectErrorStream(true);
        command.redirectOutput(ProcessBuilder.Redirect.appendTo(new File(config.getParentFile(), "server.out")));
        process = command.start();
        Process started = process;
        Runtime.getRuntime().addShutdownHook(new Thread(started::destroyForcibly));
        long deadline = System.currentTimeMillis() + PATIENCE_MS;
        while (!answers()) {
            if (!process.isAlive() || System.currentTimeMillis() > deadline)
                throw new IllegalStateException("the server did not start: see " + config.getParent() + "/server.out");
            Thread.sleep(10);
        }
    }

    /** Of a server alone, that it serves; a member of an ensemble waits for others. */
    private boolean answers() {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress("127.0.0.1", clientPort), 1000);
            socket.setSoTimeout(1000);
            socket.getOutputStream().write("ruok".getBytes(StandardCharsets.US_ASCII));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).equals("imok");
        } catch (Exception e) {
            return false;
        }
    }

    private static String flags() {
        StringBuilder flags = new StringBuilder();
        System.getProperties().forEach((key, value) -> {
            String name = key.toString();
            boolean concernsServer = name.startsWith("zookeeper.") || name.startsWith("znode.") || name.equals("readonlymode.enabled");
            if (concernsServer && !name.startsWith("zookeeper.jmx")) flags.append(" -D").append(name).append('=').append(value);
        });
        return flags.toString();
    }

    @Override
    public int getClientPort() {
        return clientPort;
    }

    @Override
    public void kill() {
        end(true);
    }

    @Override
    public void close() {
        end(false);
    }

    private void end(boolean byForce) {
        Process ending = process;
        if (ending == null) return;
        if (byForce) ending.destroyForcibly();
        else ending.destroy();
        try {
            if (!ending.waitFor(10, TimeUnit.SECONDS)) ending.destroyForcibly().waitFor();
        } catch (InterruptedException e) {
            ending.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
