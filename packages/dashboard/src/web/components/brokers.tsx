import { topology } from '../store.ts'

export function Brokers() {
  const view = topology.value
  return (
    <section id="brokers" aria-labelledby="brokers-title">
      <div class="head">
        <h2 id="brokers-title">Brokers</h2>
        {view?.clusterId ? <p class="muted mono">{view.clusterId}</p> : null}
      </div>
      {view?.error ? <p class="problem">{view.error}</p> : null}
      {view === null || view.brokers.length === 0 ? (
        <p class="muted">
          No broker has answered yet. To start a cluster: <code>npm start</code>
        </p>
      ) : (
        <table>
          <thead>
            <tr>
              <th>broker</th>
              <th>address</th>
              <th class="number">leads</th>
              <th class="number">holds</th>
            </tr>
          </thead>
          <tbody>
            {view.brokers.map(broker => (
              <tr key={broker.id}>
                <td>
                  {broker.id} {broker.isController ? <span class="badge">controller</span> : null}
                </td>
                <td class="mono">{broker.address}</td>
                <td class="number">{broker.leads}</td>
                <td class="number">{broker.holds}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}
