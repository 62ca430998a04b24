/** Why a request is refused; becomes an error transaction. `code` is one of `errorCode`. */
export class Refusal extends Error {
  readonly code: number

  constructor(code: number, message = 'refused') {
    super(message)
    this.code = code
  }
}
