export default function Page() {
  return <p>A peer</p>;
}
