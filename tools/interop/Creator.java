import java.util.concurrent.CountDownLatch;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;

/** What creator.c does, with Apache's Java client. */
public class Creator {
  public static void main(String[] args) throws Exception {
    CountDownLatch connected = new CountDownLatch(1);
    ZooKeeper client = new ZooKeeper(args[0], 30_000, event -> {
      if (event.getState() == KeeperState.SyncConnected) connected.countDown();
      if (event.getState() == KeeperState.Expired) {
        System.err.println("the session expired");
        System.exit(1);
      }
    });
    connected.await();
    while (System.in.available() == 0) {
      try {
        System.out.println(client.create(args[1] + "/n-", new byte[] {'x'}, ZooDefs.Ids.OPEN_ACL_UNSAFE,
            CreateMode.PERSISTENT_SEQUENTIAL));
      } catch (KeeperException.ConnectionLossException e) {
        Thread.sleep(20);
      }
    }
    client.close();
  }
}
